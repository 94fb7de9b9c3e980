"""What ``distill diagnose`` and ``clinragen report`` do: open run, graph, patient and store, and tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from distill.admission_input import read_admission
from distill.diagnose import DiagnosedAdmission, diagnose_admissions
from distill.jobs import Row, bundle_of, cohort_of
from distill.rationale import ToldSentence
from distill.report import write_report
from distill.run import Run
from distill.types import RationaleSentence
from ehr.errors import InputError
from ehr.progress import say
from kg.bundle import Bundle
from kg.stores import GraphStore, open_store

LISTED = 8
"""Diseases of a printed diagnosis: all that are named, and the next ones up to this many."""


@dataclass(frozen=True, slots=True)
class Told:
    """Diagnoses as tables for a person and as objects for a program."""

    admissions: tuple[DiagnosedAdmission, ...]
    names: Bundle

    def rows(self) -> list[Row]:
        """Give one object an admission: diseases, rationale, evidence."""
        return [
            {
                "admission": one.diagnosis.admission_id,
                "run": one.diagnosis.run,
                "diseases": [
                    asdict(disease) | {"threshold": one.thresholds[disease.phenotype]}
                    for disease in one.diagnosis.diseases
                ],
                "rationale": [asdict(sentence) for sentence in one.diagnosis.rationale.sentences],
                "generated_text": one.diagnosis.generated_text,
                "evidence": dict(one.evidence),
            }
            for one in self.admissions
        ]

    def tables(self) -> Iterator[tuple[str, list[Row]]]:
        """Give titled tables: diseases and rationale of each admission, and its evidence as the store gave it."""
        for one in self.admissions:
            ranked = sorted(one.diagnosis.diseases, key=lambda d: d.rank)
            yield (
                f"admission {one.diagnosis.admission_id}",
                [
                    {
                        "rank": d.rank,
                        "disease": d.name,
                        "probability": round(d.probability, 3),
                        "named": "yes" if d.named else "",
                        "findings that the graph relates to it": "; ".join(n.name for n in d.nodes if n.statements),
                    }
                    for d in ranked
                    if d.named or d.rank <= LISTED
                ],
            )
            sentences: list[Row] = [
                {"part": s.part, "rationale": s.text, "from": _origin(s), "statements": ", ".join(s.statements)}
                for s in one.diagnosis.rationale.sentences
            ]
            yield ("rationale", sentences)
            for name, rows in one.evidence.items():
                yield (f"evidence: {name} ({one.store})", rows)


def _origin(sentence: RationaleSentence) -> str:
    """Say who wrote a sentence, and of the student's whether the graph bears it out."""
    if not isinstance(sentence, ToldSentence) or sentence.origin == "graph":
        return "graph"
    return "student" if sentence.sound else "student, not borne out by the graph"


@contextmanager
def _opened(url: str | None, bundle: Bundle, write: bool) -> Iterator[GraphStore | None]:
    """Open the store of ``url``, by default the embedded one beside the bundle where there is one."""
    beside = bundle.path / "graph.lbug"
    if url is None and not beside.exists():
        say(f"no store given and none at {beside}: no evidence is fetched (--store URL)")
        yield None
        return
    with open_store(url or f"ladybug:{beside}", read_only=not write) as store:
        yield store


def diagnose_directory(
    run: Path,
    admissions: Sequence[str] | None = None,
    *,
    cohort: Path | None = None,
    input_file: str | None = None,
    bundle: Path | None = None,
    store: str | None = None,
    write: bool = False,
) -> Told:
    """Diagnose admissions of a cohort (all of one where none is named), or one given as JSON.

    Args:
        run: run directory.
        admissions: ids in the cohort.
        cohort: default: the one the run was trained on.
        input_file: JSON by the schema of an admission, ``-`` for standard input; in place of a cohort.
        bundle: default: the one the run was trained with.
        store: address; default: the embedded store beside the bundle.
        write: put the diagnoses into the run directory and the store.

    Raises:
        InputError: where neither or both of cohort and input are given, or something named is not there.
    """
    if input_file is not None and (admissions or cohort):
        raise InputError("give --input alone, or --admission and --cohort", where="distill diagnose")
    if input_file is None and not admissions and cohort is None:
        raise InputError(
            "whom to diagnose? give --admission ID, --cohort COHORT or --input FILE", where="distill diagnose"
        )
    opened = Run.open(run)
    graph = bundle_of(opened, bundle)
    given = None if input_file is None else read_admission(input_file)
    patients = None if given is not None else cohort_of(opened, cohort)
    with _opened(store, graph, write) as held:
        told = diagnose_admissions(
            opened, graph, cohort=patients, admission_ids=admissions, admission=given, store=held, write=write
        )
    return Told(tuple(told), graph)


def report_admission(
    run: Path,
    admission: str,
    out: Path,
    *,
    cohort: Path | None = None,
    store: str | None = None,
    include_text: bool = False,
) -> None:
    """Write the report of one admission of the run's cohort; the note's text only where it is asked for."""
    told = diagnose_directory(run, admissions=[admission], cohort=cohort, store=store)
    one = told.admissions[0]
    write_report(
        one.diagnosis,
        one.admission,
        one.subgraph,
        told.names,
        one.evidence,
        out,
        findings=one.findings,
        thresholds=one.thresholds,
        store=one.store,
        include_text=include_text,
    )
    say(f"report: {out}")

"""Teachers: who writes the rationales that a student learns from, and the cohort's table of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

import polars as pl

from distill.teachers.answers import AnswerCache
from distill.teachers.chat import ChatTeacher, client_of, need_endpoint
from distill.teachers.graph import Case, GraphTeacher
from distill.teachers.sentences import in_sentence
from distill.types import Rationale
from ehr.cohort import Cohort
from ehr.errors import InputError
from ehr.files import fingerprint
from ehr.phenotypes import load_phenotypes
from ehr.progress import bar, say
from ehr.series import load_series
from kg.bundle import Bundle
from kg.link import findings_of
from kg.retrieve import subgraphs_of

__all__ = ["RATIONALE_SCHEMA", "TEACHERS", "Case", "GraphTeacher", "concept_names", "teach"]

TEACHERS = ("graph", "openai", "hf")
VERSION = 1
"""Raised when equal inputs give other rationales than before."""
_CHUNK = 5000
_WORKERS = 4

_SENTENCE = pl.Struct(
    {
        "part": pl.String(),
        "text": pl.String(),
        "findings": pl.List(pl.String()),
        "statements": pl.List(pl.String()),
        "disease": pl.String(),
    }
)
RATIONALE_SCHEMA = pl.Schema(
    {
        "admission_id": pl.String(),
        "teacher": pl.String(),
        "diseases": pl.List(pl.String()),
        "sentences": pl.List(_SENTENCE),
    }
)
"""Columns of the table ``rationales``."""


def concept_names(bundle: Bundle) -> dict[str, str]:
    """Give every concept's name as sentences use it: series by their short names, phenotypes by the label set's."""
    names = dict(bundle.concepts.select("id", "name").collect().iter_rows())
    names.update((series.code, series.short) for series in load_series())
    labels = load_phenotypes()
    names.update((one, in_sentence(name)) for one, name in zip(labels.ids, labels.names, strict=True))
    return names


def _cases(cohort: Cohort, bundle: Bundle, *, notes: bool) -> Iterator[Case]:
    """Yield the cases of all admissions in order, some thousands read at a time."""
    ids = cohort.ids()
    order = {label: place for place, label in enumerate(load_phenotypes().ids)}
    names = concept_names(bundle)
    for start in range(0, len(ids), _CHUNK):
        yield from _some_cases(cohort, ids[start : start + _CHUNK], names, order, notes=notes)


def _some_cases(
    cohort: Cohort, ids: Sequence[str], names: Mapping[str, str], order: Mapping[str, int], *, notes: bool
) -> Iterator[Case]:
    """Yield the cases of some admissions in the order of ``ids``."""
    labels = dict(cohort.table("admissions").select("admission_id", "labels").iter_rows())
    texts: dict[str, dict[str, str]] = {}
    if notes:
        table = cohort.table("notes").filter(pl.col("admission_id").is_in(list(ids)))
        for admission, section, text in table.select("admission_id", "section", "text").iter_rows():
            texts.setdefault(admission, {})[section] = text
    findings, subgraphs = findings_of(cohort, ids), subgraphs_of(cohort, ids)
    for admission in ids:
        if admission not in subgraphs:
            raise InputError("an admission has no subgraph", where=cohort.path, remedy="run `kg retrieve` again")
        known = sorted((label for label in labels[admission] if label in order), key=order.__getitem__)
        yield Case(
            admission, tuple(known), findings.get(admission, []), subgraphs[admission], names, texts.get(admission, {})
        )


def _row(teacher: str, case: Case, rationale: Rationale) -> dict[str, object]:
    return {
        "admission_id": case.admission_id,
        "teacher": teacher,
        "diseases": list(rationale.diseases),
        "sentences": [
            {
                "part": s.part,
                "text": s.text,
                "findings": list(s.findings),
                "statements": list(s.statements),
                "disease": s.disease,
            }
            for s in rationale.sentences
        ],
    }


def _count(rationale: Rationale) -> Counter[str]:
    grounded = [s for s in rationale.sentences if s.findings]
    explained = {s.disease for s in grounded}
    return Counter(
        note_sentences=sum(s.part == "note" for s in grounded),
        lab_sentences=sum(s.part == "lab" for s in grounded),
        diagnoses=len(rationale.diseases),
        unexplained=sum(d not in explained for d in rationale.diseases),
    )


def _same_graph(cohort: Cohort, bundle: Bundle) -> None:
    """Refuse subgraphs of another graph: their concepts would have no names, their statements no sources."""
    tables = cohort.manifest.get("tables")
    for name, command in (("findings", "kg link"), ("subgraphs", "kg retrieve")):
        entry = tables.get(name) if isinstance(tables, dict) else None
        made_with = entry.get("graph") if isinstance(entry, dict) else None
        if made_with is not None and made_with != bundle.hash:
            raise InputError(f"{name} were made with another graph", where=cohort.path, remedy=f"run `{command}` again")


def _teach_graph(cases: Iterator[Case], total: int, seed: int) -> tuple[list[dict[str, object]], Counter[str]]:
    teacher, counts, rows = GraphTeacher(seed=seed), Counter[str](), []
    with bar("teach (graph)", total) as advance:
        for case in cases:
            rationale = teacher.explain(case)
            counts += _count(rationale)
            rows.append(_row(teacher.name, case, rationale))
            advance()
    return rows, counts


def _teach_chat(
    teacher: ChatTeacher, cases: Iterator[Case], total: int, workers: int
) -> tuple[list[dict[str, object]], Counter[str]]:
    """Ask side by side, write in order; the first failure ends the job, what was answered stays in the cache."""
    counts: Counter[str] = Counter()
    rows: list[dict[str, object]] = []
    with bar(f"teach ({teacher.name})", total) as advance, ThreadPoolExecutor(workers) as pool:
        waiting: list[tuple[Case, Future[tuple[Rationale, Counter[str]]]]] = []

        def finish() -> None:
            case, future = waiting.pop(0)
            rationale, told = future.result()
            counts.update(told)
            counts.update(_count(rationale))
            rows.append(_row(teacher.name, case, rationale))
            advance()

        try:
            for case in cases:
                waiting.append((case, pool.submit(teacher.explain, case)))
                if len(waiting) >= 2 * workers:
                    finish()
            while waiting:
                finish()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return rows, counts


def teach(
    cohort: Cohort,
    bundle: Bundle,
    *,
    teacher: str = "graph",
    seed: int = 0,
    model: str | None = None,
    base_url: str | None = None,
    send_patients: bool = False,
    send_notes: bool = False,
) -> dict[str, str | int | float]:
    """Write the cohort's table ``rationales``: for every admission, why it has the diagnoses that it is known to have.

    The teacher is given the known diagnoses (paper, section 3), the linked findings and the subgraph. Sentences of
    language models are checked against findings and subgraph (`distill.rationale.verify`); what does not hold is
    dropped and counted. A table that is there with the same fingerprint is left as it is.

    Args:
        cohort: with tables ``findings`` and ``subgraphs``.
        bundle: the graph that they were made with.
        teacher: ``graph`` (offline, deterministic), ``openai`` (an endpoint of that protocol) or ``hf`` (a local
            transformers model).
        seed: chooses phrasings, and is sent to endpoints.
        model: name at the endpoint, or path of the local model.
        base_url: of the endpoint.
        send_patients: the user may send this cohort to an endpoint that is not on this machine.
        send_notes: put the note's text into the question, beside its findings.

    Returns:
        Counts: admissions, diagnoses, sentences by part, diagnoses that no sentence explains, and what was dropped.

    Raises:
        InputError: for an unknown teacher, a missing table, an endpoint or model that cannot be used.
    """
    if teacher not in TEACHERS:
        raise InputError(f"unknown teacher {teacher!r}", remedy=f"expected one of {', '.join(TEACHERS)}")
    endpoint = need_endpoint(cohort, teacher, model, base_url, allowed=send_patients)
    asked: dict[str, object] = {"teacher": teacher, "seed": seed, "version": VERSION}
    if teacher != "graph":
        asked |= {"model": model, "base_url": endpoint.base_url if endpoint else None, "send_notes": send_notes}
    cohort.need_built_in_labels("the teacher")
    _same_graph(cohort, bundle)
    inputs = {name: cohort.fingerprint(name) for name in ("admissions", "findings", "subgraphs")}
    mark = fingerprint({**asked, **inputs, "bundle": bundle.hash})
    if cohort.is_current("rationales", mark):
        say("rationales are up to date")
        return _told(cohort, teacher)
    cases, total = _cases(cohort, bundle, notes=send_notes and teacher != "graph"), len(cohort.ids())
    if teacher == "graph":
        rows, counts = _teach_graph(cases, total, seed)
    else:
        client = client_of(endpoint, model, seed)
        path = cohort.path / "answers" / f"{teacher}.jsonl"
        with closing(AnswerCache(path, asked)) as cache:
            workers = _WORKERS if endpoint is not None else 1
            rows, counts = _teach_chat(ChatTeacher(teacher, client, cache, seed=seed), cases, total, workers)
    frame = pl.DataFrame(rows, schema=RATIONALE_SCHEMA).sort("admission_id")
    cohort.write_table("rationales", frame, mark, teacher=teacher, counts={k: counts[k] for k in sorted(counts)})
    return _told(cohort, teacher)


def _told(cohort: Cohort, teacher: str) -> dict[str, str | int | float]:
    """Give the counts that stand in the manifest, whether they were made now or before."""
    tables = cohort.manifest.get("tables")
    entry = tables.get("rationales") if isinstance(tables, dict) else None
    told: dict[str, str | int | float] = {"teacher": teacher}
    if isinstance(entry, dict):
        counts = entry.get("counts")
        told["admissions"] = entry["rows"] if isinstance(entry.get("rows"), int) else 0  # type: ignore[assignment]
        told |= {k: v for k, v in counts.items() if isinstance(v, int)} if isinstance(counts, dict) else {}
    return told

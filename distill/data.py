"""What the model sees of an admission, read from the cohort's tables; and who is trained on, looked at, tested."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from distill.types import Rationale, RationaleSentence
from ehr.cohort import Cohort
from ehr.errors import InputError
from ehr.types import Admission, TimeSeries
from kg.link import findings_of
from kg.retrieve import subgraphs_of
from kg.types import Finding, PatientSubgraph

FOLDS = 5
DEMOGRAPHICS = "demographics"


@dataclass(frozen=True, slots=True)
class Span:
    """Where a linked concept's words stand in a section (character offsets)."""

    concept: str
    section: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Record:
    """One admission as input and target.

    Attributes:
        sections: name and text, in the order in which they are read; ``demographics`` is rendered.
        spans: words of linked findings in the note.
        labels: 0 or 1 for each label, shape ``(labels,)``.
        rationale: what the teacher wrote, None where it wrote nothing.
    """

    admission_id: str
    sections: tuple[tuple[str, str], ...]
    spans: tuple[Span, ...]
    series: tuple[TimeSeries, ...]
    labels: NDArray[np.float32]
    rationale: Rationale | None


def split_ids(
    cohort: Cohort, fold: int | None = None, *, dev_share: float = 0.15, seed: int = 0
) -> dict[str, list[str]]:
    """Give the admissions of every split, sorted; nobody stands in two of ``train``, ``dev`` and the tests.

    Args:
        cohort: with splits, and with folds where ``fold`` is given.
        fold: these patients are the test; a share of the other patients, drawn by seed, is the dev split.
        dev_share: that share; also taken from the training patients of a cohort whose dev split is empty.
        seed: of that draw.

    Raises:
        InputError: for a fold that does not exist, or where no patient is left to train on or to choose by.
    """
    admissions = cohort.table("admissions").select("patient_id", "admission_id", "split")
    if fold is not None:
        if not 0 <= fold < FOLDS:
            raise InputError(f"fold {fold} does not exist, expected 0 to {FOLDS - 1}", where="fold")
        folds = cohort.table("folds").select("patient_id", "fold")
        admissions = admissions.join(folds, on="patient_id", how="left").with_columns(
            pl.when(pl.col("fold") == fold).then(pl.lit("test")).otherwise(pl.lit("train")).alias("split")
        )
    if "dev" not in set(admissions["split"]):
        training = sorted(set(admissions.filter(pl.col("split") == "train")["patient_id"]))
        training.sort(key=lambda p: hashlib.sha256(f"{seed}\t{p}".encode()).hexdigest())
        chosen = training[: max(1, round(dev_share * len(training)))]
        dev = pl.col("patient_id").is_in(chosen)
        admissions = admissions.with_columns(pl.when(dev).then(pl.lit("dev")).otherwise(pl.col("split")).alias("split"))
    ids = {
        str(name): sorted(admissions.filter(pl.col("split") == name)["admission_id"].to_list())
        for name in sorted(set(admissions["split"].drop_nulls()))
    }
    for name in ("train", "dev"):
        if not ids.get(name):
            raise InputError(f"no admission in the {name} split", where=cohort.path, remedy="give a larger cohort")
    return ids


def render_demographics(admission: Admission) -> str:
    """Put age (by decade), sex and type of admission into words; what is not known is left out."""
    parts = []
    if admission.age is not None:
        decade = int(admission.age // 10 * 10)
        parts.append(f"age {decade} to {decade + 9}")
    if admission.sex:
        parts.append({"M": "male", "F": "female"}.get(admission.sex.upper(), admission.sex))
    if admission.admission_type:
        parts.append(f"{admission.admission_type.lower()} admission")
    return ", ".join(parts)


def rationale_of(row: Mapping[str, object]) -> Rationale:
    """Read one row of the cohort's ``rationales`` table."""
    sentences = row["sentences"] or []
    diseases = row["diseases"] or []
    assert isinstance(sentences, list) and isinstance(diseases, list)  # noqa: S101 - columns are lists
    return Rationale(
        diseases=tuple(diseases),
        sentences=tuple(
            RationaleSentence(
                part=s["part"],
                text=s["text"],
                findings=tuple(s["findings"] or ()),
                statements=tuple(s["statements"] or ()),
                disease=s["disease"],
            )
            for s in sentences
        ),
    )


def read_rationales(cohort: Cohort) -> dict[str, Rationale]:
    """Read all rationales by admission."""
    table = cohort.table("rationales")
    return {row["admission_id"]: rationale_of(row) for row in table.iter_rows(named=True)}


def record_of(
    admission: Admission,
    findings: Sequence[Finding],
    labels: Mapping[str, int],
    rationale: Rationale | None = None,
) -> Record:
    """Put one admission together; labels outside the label set are left out."""
    truth = np.zeros(len(labels), dtype=np.float32)
    for label in admission.labels:
        if label in labels:
            truth[labels[label]] = 1.0
    demographics = render_demographics(admission)
    sections = [(DEMOGRAPHICS, demographics)] if demographics else []
    sections += [(note.section, note.text) for note in admission.notes if note.text]
    spans = {
        Span(f.concept, f.section, f.start, f.end)
        for f in findings
        if f.section is not None and f.start is not None and f.end is not None
    }
    ordered = tuple(sorted(spans, key=lambda s: (s.section, s.start, s.end, s.concept)))
    return Record(admission.admission_id, tuple(sections), ordered, admission.series, truth, rationale)


def read_records(cohort: Cohort, ids: Sequence[str], labels: Mapping[str, int]) -> list[Record]:
    """Read admissions in the order of ``ids``.

    Raises:
        InputError: for an admission that the cohort lacks, or where findings were not linked yet.
    """
    found = {admission.admission_id: admission for admission in cohort.admissions(ids=ids)}
    if missing := set(ids) - set(found):
        raise InputError(f"{len(missing)} of the asked admissions are not in the cohort", where=cohort.path)
    findings = findings_of(cohort, list(ids))
    rationales = read_rationales(cohort) if cohort.fingerprint("rationales") else {}
    return [record_of(found[i], findings.get(i, ()), labels, rationales.get(i)) for i in ids]


def read_subgraphs(cohort: Cohort, ids: Sequence[str], mode: str) -> dict[str, PatientSubgraph]:
    """Read the subgraphs of one mode (``all`` or ``labs``) by admission.

    Raises:
        InputError: where subgraphs were not retrieved yet.
    """
    return subgraphs_of(cohort, list(ids), mode)

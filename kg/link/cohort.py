"""Linking a cohort: what its notes, labs, vital signs and home drugs say, as concepts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from ehr.files import fingerprint
from ehr.progress import say, track
from ehr.series import SeriesDefinition
from kg.link.hierarchy import collected, descendants_of, parents_of
from kg.link.labs import Range, abnormal_values, trends
from kg.link.text import Linker, rules_digests
from kg.types import Finding
from kg.vocabulary import Category, Predicate

if TYPE_CHECKING:
    from ehr.cohort import Cohort
    from kg.bundle import Bundle

VERSION = 5
"""Version of the linking rules that stand in code; a change makes older tables stale."""

TREATMENT_SECTIONS = frozenset(("hospital_course",))
"""Drugs and procedures named here are answers to a diagnosis, not evidence for one."""
HOME_DRUG_WEIGHT = 0.8
FIRST_DAY_WEIGHT = 0.5
"""Of drugs and procedures in the summary that stands in for a missing note: continued from home or newly begun."""
_SUMMARY_SECTION = "admission_summary"
_HOME_SECTION = "medications_on_admission"

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "admission_id": pl.String,
    "concept": pl.String,
    "origin": pl.String,
    "negated": pl.Boolean,
    "historical": pl.Boolean,
    "hypothetical": pl.Boolean,
    "family": pl.Boolean,
    "section": pl.String,
    "start": pl.Int64,
    "end": pl.Int64,
    "code": pl.String,
    "direction": pl.String,
    "value": pl.Float64,
    "unit": pl.String,
    "hours": pl.Float64,
    "weight": pl.Float64,
}
"""Columns of the table ``findings``: the fields of `kg.types.Finding`."""
_FLAGS = {"negated": False, "historical": False, "hypothetical": False, "family": False}
_KEYS = ("admission_id", "origin", "section", "start", "code", "direction", "concept")


@dataclass(frozen=True, slots=True)
class LinkSummary:
    """What linking found.

    Attributes:
        admissions: how many the cohort has.
        findings: rows of the table.
        origins: rows by origin.
        naming_candidates: findings of the text that name one of the candidate diseases (or a kind of it).
        masked: True where those were dropped.
        unlinked_drugs: distinct home drugs that no drug concept names.
        already_done: True where the table was current and nothing was written.
    """

    admissions: int
    findings: int
    origins: dict[str, int] = field(default_factory=dict)
    naming_candidates: int = 0
    masked: bool = False
    unlinked_drugs: int = 0
    already_done: bool = False


def link_cohort(cohort: Cohort, bundle: Bundle, *, mask_labels: bool = False, rules: Path | None = None) -> LinkSummary:
    """Link a cohort's notes, series and home drugs, and write its table ``findings``.

    Labels are never read. Findings of the text that name a candidate disease itself (the concept of a label, a term
    that the graph holds for a close match of it, or a kind of that term) are counted; ``mask_labels`` drops them.

    Args:
        cohort: an ingested cohort.
        bundle: the graph.
        mask_labels: drop findings that name a candidate disease.
        rules: context rules of your own, which add to those of the package.

    Returns:
        Counts; the same stand in the cohort's manifest.

    Raises:
        InputError: where a table of the cohort is missing or cannot be read, or ``rules`` cannot be used.
    """
    print_ = fingerprint(
        {
            "step": "link",
            "version": VERSION,
            "bundle": bundle.hash,
            "mask_labels": mask_labels,
            "rules": rules_digests(rules),
            "tables": {name: cohort.fingerprint(name) for name in ("notes", "series", "medications")},
        }
    )
    admissions = len(cohort.ids())
    if cohort.is_current("findings", print_):
        say("findings: already linked with this graph and these rules")
        entry = _entry(cohort, "findings")
        counts = {name: int(str(entry.get(name, 0))) for name in ("naming_candidates", "unlinked_drugs")}
        return _summary(admissions, cohort.table("findings"), counts, mask_labels, done=True)
    linker = Linker(bundle, rules=rules)
    medications, unlinked = _home_drugs(cohort.table("medications"), linker, bundle)
    parts = [
        _note_findings(cohort.table("notes"), linker, bundle),
        _series_findings(cohort.table("series"), bundle, cohort.series_set()),
        medications,
    ]
    frame = pl.concat(parts).sort(*_KEYS, nulls_last=True)
    naming = naming_concepts(bundle)
    # A measured value is no mention: a low sodium stays, "hyponatremia" in the note goes.
    named = frame["concept"].is_in(sorted(naming)) & ~frame["origin"].is_in(["lab", "vital"])
    counts = {"naming_candidates": int(named.sum()), "unlinked_drugs": unlinked}
    if mask_labels:
        frame = frame.filter(~named)
    cohort.write_table("findings", frame, print_, graph=bundle.hash, mask_labels=mask_labels, **counts)
    return _summary(admissions, frame, counts, mask_labels)


def _summary(
    admissions: int, frame: pl.DataFrame, counts: dict[str, int], masked: bool, *, done: bool = False
) -> LinkSummary:
    origins = {str(o): int(n) for o, n in frame["origin"].value_counts().sort("origin").iter_rows()}
    return LinkSummary(
        admissions,
        frame.height,
        origins,
        counts.get("naming_candidates", 0),
        masked,
        counts.get("unlinked_drugs", 0),
        done,
    )


def _entry(cohort: Cohort, name: str) -> Mapping[str, object]:
    """Give what the cohort's manifest says of a table."""
    tables = cohort.manifest.get("tables")
    entry = tables.get(name) if isinstance(tables, dict) else None
    return entry if isinstance(entry, dict) else {}


def naming_concepts(bundle: Bundle) -> frozenset[str]:
    """Give the concepts that name a candidate disease: itself, its close matches, and all kinds of those."""
    matches = collected(bundle.statements).filter(
        (pl.col("predicate") == Predicate.CLOSE_MATCH.value) & ~pl.col("negated")
    )
    pairs = list(matches.select("subject", "object").iter_rows())
    terms = {other for a, b in pairs for one, other in ((a, b), (b, a)) if one.startswith("CCS:")}
    candidates = {c for c in collected(bundle.concepts)["id"] if c.startswith("CCS:")}
    return frozenset(descendants_of({t for t in terms if t.startswith("HP:")}, parents_of(bundle)) | terms | candidates)


def _categories(bundle: Bundle) -> tuple[frozenset[str], frozenset[str]]:
    """Give the concepts that are drugs, and those that are drugs or procedures."""
    frame = collected(bundle.concepts).select("id", "category")
    drugs = frozenset(frame.filter(pl.col("category") == Category.DRUG.value)["id"])
    return drugs, drugs | frozenset(frame.filter(pl.col("category") == Category.PROCEDURE.value)["id"])


def _note_findings(notes: pl.DataFrame, linker: Linker, bundle: Bundle) -> pl.DataFrame:
    """Link every section; a home drug in its section is of origin ``medication``."""
    drugs, treatments = _categories(bundle)
    columns: dict[str, list[object]] = {name: [] for name in SCHEMA}
    rows = notes.select("admission_id", "section", "text").sort("admission_id", "section")
    for admission, section, text in track(rows.iter_rows(), "linking notes", rows.height):
        for mention in linker.link(text or "", section):
            if section in TREATMENT_SECTIONS and mention.concept in treatments:
                continue
            first_day = section == _SUMMARY_SECTION and mention.concept in treatments
            home = section == _HOME_SECTION and mention.concept in drugs
            values = {
                "admission_id": admission,
                "concept": mention.concept,
                "origin": "medication" if home else "note",
                "negated": mention.negated,
                "historical": mention.historical,
                "hypothetical": mention.hypothetical,
                "family": mention.family,
                "section": section,
                "start": mention.start,
                "end": mention.end,
                "weight": HOME_DRUG_WEIGHT if home else FIRST_DAY_WEIGHT if first_day else 1.0,
            }
            for name, column in columns.items():
                column.append(values.get(name))
    return pl.DataFrame(columns, schema=SCHEMA)


def indicated_terms(bundle: Bundle) -> pl.DataFrame:
    """Give the phenotype that an abnormal series means: ``code``, ``direction``, ``concept``, ``strength``."""
    directions = {Predicate.HIGH_INDICATES.value: "high", Predicate.LOW_INDICATES.value: "low"}
    rows = collected(bundle.statements).filter(pl.col("predicate").is_in(list(directions)) & ~pl.col("negated"))
    return rows.select(
        pl.col("subject").alias("code"),
        pl.col("predicate").replace_strict(directions, return_dtype=pl.String).alias("direction"),
        pl.col("object").alias("concept"),
        pl.col("weight").alias("strength"),
    ).sort("code", "direction", "concept")


def _series_findings(series: pl.DataFrame, bundle: Bundle, definitions: Sequence[SeriesDefinition]) -> pl.DataFrame:
    """Turn abnormal series, and those that rise or fall towards a limit, into findings.

    The concept is the term that the value means (or would mean beyond the limit), else the series' own.
    """
    ranges = [Range(s.code, s.kind, s.unit, s.low, s.high, s.plausible_low, s.plausible_high) for s in definitions]
    abnormal = abnormal_values(series, ranges)
    towards = trends(series, ranges).join(abnormal, on=["admission_id", "code"], how="anti")
    both = pl.concat([abnormal, towards.select(abnormal.columns)]).with_columns(
        means=pl.col("direction").replace({"rising": "high", "falling": "low"})
    )
    terms = indicated_terms(bundle).rename({"direction": "means"})
    found = both.join(terms, on=["code", "means"], how="left").with_columns(
        concept=pl.coalesce("concept", "code"), origin=pl.col("kind"), **{k: pl.lit(v) for k, v in _FLAGS.items()}
    )
    return found.select(
        pl.col(name).cast(kind) if name in found.columns else pl.lit(None, dtype=kind).alias(name)
        for name, kind in SCHEMA.items()
    )


def _home_drugs(medications: pl.DataFrame, linker: Linker, bundle: Bundle) -> tuple[pl.DataFrame, int]:
    """Turn the drugs taken before admission into findings; a name with dose and form is searched like a text."""
    drugs, _ = _categories(bundle)
    taken = medications.filter(pl.col("before_admission")).select("admission_id", "name", "hours").unique()
    meaning = {
        name: sorted({m.concept for m in linker.link(name) if m.concept in drugs})
        for name in sorted(set(taken["name"].drop_nulls()))
    }
    rows = [
        {
            "admission_id": a,
            "concept": concept,
            "origin": "medication",
            "hours": hours,
            "weight": HOME_DRUG_WEIGHT,
            **_FLAGS,
        }
        for a, name, hours in taken.sort("admission_id", "name", "hours", nulls_last=True).iter_rows()
        for concept in meaning.get(name, ())
    ]
    frame = pl.DataFrame(rows, schema=SCHEMA).unique(
        subset=["admission_id", "concept"], keep="first", maintain_order=True
    )
    return frame, sum(not found for found in meaning.values())


def findings_of(cohort: Cohort, ids: Iterable[str] | None = None) -> dict[str, list[Finding]]:
    """Give the findings of admissions; every id asked for has an entry, empty where nothing was found.

    Raises:
        InputError: where the cohort was not linked yet.
    """
    wanted = list(cohort.ids() if ids is None else ids)
    rows = cohort.scan("findings")
    if ids is not None and wanted:
        # The range lets Parquet statistics skip row groups.
        near = pl.col("admission_id").is_between(pl.lit(min(wanted)), pl.lit(max(wanted)))
        rows = rows.filter(near & pl.col("admission_id").is_in(wanted))
    frame = rows.collect() if wanted else pl.DataFrame(schema=SCHEMA)
    found: dict[str, list[Finding]] = {admission: [] for admission in wanted}
    for admission, findings in _grouped(frame):
        if admission in found:
            found[admission] = findings
    return found


def _grouped(frame: pl.DataFrame) -> Iterator[tuple[str, list[Finding]]]:
    rows = frame.select(list(SCHEMA)).iter_rows()
    for admission, group in groupby(rows, key=lambda row: row[0]):
        yield str(admission), [Finding(*row) for row in group]

"""Describes a cohort in numbers: who is in it, which labels, and what was measured."""

from __future__ import annotations

from itertools import combinations

import polars as pl

from ehr.cohort import Cohort
from ehr.leakage import leaks
from ehr.types import SPLITS

Row = dict[str, str | float | int]

PREVALENCE = "phenotype: % of admissions"
TOGETHER = "phenotypes together: % of admissions"
MISSING = "series: % of admissions without a value"
LEAK = "leakage: % of its admissions whose text names it"
LEAK_OTHERS = "leakage: % of the other admissions whose text names it"
UNMAPPED = "codes that map to nothing: rows"
GROUPS = ("cohort", PREVALENCE, TOGETHER, MISSING, LEAK, LEAK_OTHERS, UNMAPPED)
"""Groups of rows, in the order in which they come."""

_HOURS_A_DAY = 24.0
_PAIRS = 20
_CODES = 20


def describe(cohort: Cohort) -> list[Row]:
    """Describe a cohort, one row a measure.

    Args:
        cohort: an ingested cohort; steps after ingestion are not needed.

    Returns:
        Rows with ``group``, ``measure``, ``all`` and one column a split that the cohort has. A cell without any
        admission that could tell is an empty text. The groups `LEAK` and `UNMAPPED` are of the whole cohort.

    Raises:
        InputError: where a table of the cohort is missing.
    """
    admissions = cohort.table("admissions").with_columns(_facts(cohort))
    splits = [split for split in SPLITS if split in set(admissions["split"].to_list())]
    parts = {"all": admissions} | {split: admissions.filter(pl.col("split") == split) for split in splits}
    rows: list[Row] = []

    def add(group: str, measure: str, expression: pl.Expr) -> None:
        values = {name: _cell(part.select(expression).item()) for name, part in parts.items()}
        rows.append({"group": group, "measure": measure, **values})

    for measure, expression in _COHORT:
        add("cohort", measure, expression)
    labels = cohort.label_set()
    for phenotype in labels:
        share = pl.col("labels").list.contains(phenotype.id).mean() * 100
        add(PREVALENCE, f"{phenotype.name} ({phenotype.id})", share)
    for first, second, _ in pairs(cohort)[:_PAIRS]:
        both = pl.col("labels").list.contains(first) & pl.col("labels").list.contains(second)
        add(TOGETHER, f"{labels[first].short} + {labels[second].short}", both.mean() * 100)
    counts = _series_counts(cohort, admissions["admission_id"])
    for definition in cohort.series_set():
        measured = set(counts.filter(pl.col("code") == definition.code)["admission_id"].to_list())
        share = (~pl.col("admission_id").is_in(measured)).mean() * 100
        add(MISSING, f"{definition.name} ({definition.code})", share)
    for leak in leaks(cohort):
        name = f"{labels[leak.label].name} ({leak.label})"
        rows.append({"group": LEAK, "measure": name, "all": _share(leak.bearing_named, leak.bearing)})
        rows.append({"group": LEAK_OTHERS, "measure": name, "all": _share(leak.others_named, leak.others)})
    unmapped = cohort.table("unmapped_codes") if cohort.table_path("unmapped_codes").is_file() else None
    for system, code, reason, count, _ in [] if unmapped is None else unmapped.head(_CODES).iter_rows():
        rows.append({"group": UNMAPPED, "measure": f"{system} {code}: {reason}", "all": count})
    return sorted(rows, key=lambda row: GROUPS.index(str(row["group"])))


def pairs(cohort: Cohort) -> list[tuple[str, str, int]]:
    """Give the pairs of labels that stand together, with the number of admissions, the most frequent first."""
    order = {label: place for place, label in enumerate(cohort.label_set().ids)}
    counts: dict[tuple[str, str], int] = {}
    for labels in cohort.table("admissions")["labels"].to_list():
        for pair in combinations(sorted(labels, key=order.__getitem__), 2):
            counts[pair] = counts.get(pair, 0) + 1
    found = [(first, second, count) for (first, second), count in counts.items()]
    return sorted(found, key=lambda one: (-one[2], order[one[0]], order[one[1]]))


def _share(part: int, whole: int) -> float | str:
    return round(100 * part / whole, 2) if whole else ""


_COHORT = (
    ("patients", pl.col("patient_id").n_unique()),
    ("admissions", pl.len()),
    ("age, median years", pl.col("age").median()),
    ("age, 25th percentile", pl.col("age").quantile(0.25)),
    ("age, 75th percentile", pl.col("age").quantile(0.75)),
    ("age, mean years", pl.col("age").mean()),
    ("age, standard deviation", pl.col("age").std()),
    ("female, %", (pl.col("sex").drop_nulls() == "F").mean() * 100),
    ("length of stay, median days", pl.col("length_of_stay_hours").median() / _HOURS_A_DAY),
    ("length of stay, 25th percentile", pl.col("length_of_stay_hours").quantile(0.25) / _HOURS_A_DAY),
    ("length of stay, 75th percentile", pl.col("length_of_stay_hours").quantile(0.75) / _HOURS_A_DAY),
    ("admissions per patient, mean", pl.len() / pl.col("patient_id").n_unique()),
    ("phenotypes per admission, mean", pl.col("labels").list.len().mean()),
    ("admissions without any of the phenotypes, %", (pl.col("labels").list.len() == 0).mean() * 100),
    ("admissions with a note, %", (pl.col("note_sections") > 0).mean() * 100),
    ("note sections per admission, mean", pl.col("note_sections").mean()),
    ("admissions with a rendered summary, %", (pl.col("summaries") > 0).mean() * 100),
    ("lab values per admission, median", pl.col("lab_values").median()),
    ("vital values per admission, median", pl.col("vital_values").median()),
    ("drugs before admission, mean", pl.col("drugs_before").mean()),
    ("drugs ordered in hospital, mean", pl.col("drugs_ordered").mean()),
)


def _cell(value: float | int | None) -> float | int | str:
    if value is None:
        return ""
    return value if isinstance(value, int) else round(float(value), 2)


def _series_counts(cohort: Cohort, ids: pl.Series) -> pl.DataFrame:
    query = cohort.scan("series").group_by("admission_id", "code").len().sort("admission_id", "code")
    frame: pl.DataFrame = query.collect(engine="streaming")
    return frame.filter(pl.col("admission_id").is_in(ids.to_list()))


def _facts(cohort: Cohort) -> list[pl.Series]:
    """Give counts of each admission, in the order of the table ``admissions``."""
    ids = cohort.table("admissions").select("admission_id")
    vitals = [definition.code for definition in cohort.series_set() if definition.kind == "vital"]
    is_vital, before = pl.col("code").is_in(vitals), pl.col("before_admission")
    wanted = {
        "note_sections": ("notes", pl.col("origin") == "note"),
        "summaries": ("notes", pl.col("origin") == "summary"),
        "lab_values": ("series", ~is_vital),
        "vital_values": ("series", is_vital),
        "drugs_before": ("medications", before),
        "drugs_ordered": ("medications", ~before),
    }
    found = []
    for name, (table, condition) in wanted.items():
        counts = cohort.scan(table).filter(condition).group_by("admission_id").len().collect(engine="streaming")
        joined = ids.join(counts, on="admission_id", how="left", maintain_order="left")
        found.append(joined["len"].fill_null(0).cast(pl.Int64).rename(name))
    return found

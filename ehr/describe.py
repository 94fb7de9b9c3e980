"""Describes a cohort in numbers: who is in it, which labels, and what was measured."""

from __future__ import annotations

import polars as pl

from ehr.cohort import Cohort
from ehr.phenotypes import load_phenotypes
from ehr.series import load_series
from ehr.types import SPLITS

Row = dict[str, str | float | int]

_HOURS_A_DAY = 24.0


def describe(cohort: Cohort) -> list[Row]:
    """Describe a cohort, one row a measure.

    Args:
        cohort: an ingested cohort; steps after ingestion are not needed.

    Returns:
        Rows with ``group`` (``cohort``, ``phenotype: % of admissions``, ``series: % of admissions without a value``),
        ``measure``, ``all`` and one column a split that the cohort has. A cell without any admission that could tell
        is an empty text.

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
    for phenotype in load_phenotypes():
        share = pl.col("labels").list.contains(phenotype.id).mean() * 100
        add("phenotype: % of admissions", f"{phenotype.name} ({phenotype.id})", share)
    counts = _series_counts(cohort, admissions["admission_id"])
    for definition in load_series():
        measured = set(counts.filter(pl.col("code") == definition.code)["admission_id"].to_list())
        share = (~pl.col("admission_id").is_in(measured)).mean() * 100
        add("series: % of admissions without a value", f"{definition.name} ({definition.code})", share)
    return rows


_COHORT = (
    ("patients", pl.col("patient_id").n_unique()),
    ("admissions", pl.len()),
    ("age, median years", pl.col("age").median()),
    ("female, %", (pl.col("sex").drop_nulls() == "F").mean() * 100),
    ("length of stay, median days", pl.col("length_of_stay_hours").median() / _HOURS_A_DAY),
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
    vitals = [definition.code for definition in load_series() if definition.kind == "vital"]
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

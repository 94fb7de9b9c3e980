"""Columns of the cohort's tables."""

from __future__ import annotations

import polars as pl

ADMISSIONS_SCHEMA = pl.Schema(
    {
        "patient_id": pl.String(),
        "admission_id": pl.String(),
        "age": pl.Float64(),
        "sex": pl.String(),
        "admission_type": pl.String(),
        "length_of_stay_hours": pl.Float64(),
        "year_group": pl.String(),
        "labels": pl.List(pl.String()),
        "split": pl.String(),
    }
)
NOTES_SCHEMA = pl.Schema(
    {"admission_id": pl.String(), "section": pl.String(), "text": pl.String(), "origin": pl.String()}
)
SERIES_SCHEMA = pl.Schema(
    {
        "admission_id": pl.String(),
        "code": pl.String(),
        "hours": pl.Float64(),
        "value": pl.Float64(),
        "unit": pl.String(),
        "reference_low": pl.Float64(),
        "reference_high": pl.Float64(),
        "source_row": pl.String(),
    }
)
MEDICATIONS_SCHEMA = pl.Schema(
    {
        "admission_id": pl.String(),
        "name": pl.String(),
        "hours": pl.Float64(),
        "before_admission": pl.Boolean(),
        "source_row": pl.String(),
    }
)
CODES_SCHEMA = pl.Schema(
    {"admission_id": pl.String(), "system": pl.String(), "code": pl.String(), "sequence": pl.Int64()}
)
"""Diagnoses as they were coded at discharge: labels come from them, so nothing that a model sees may read them.

``system`` is ``ICD9CM``, ``ICD10CM`` or the name of another system; ``code`` of ICD has no point; ``sequence`` is the
hospital's rank (null where it gives none).
"""
UNMAPPED_SCHEMA = pl.Schema(
    {"system": pl.String(), "code": pl.String(), "reason": pl.String(), "rows": pl.Int64(), "admissions": pl.Int64()}
)
"""Codes that nothing is known of, the most frequent first."""
FOLDS_SCHEMA = pl.Schema({"patient_id": pl.String(), "fold": pl.Int64()})

SCHEMAS = {
    "admissions": ADMISSIONS_SCHEMA,
    "notes": NOTES_SCHEMA,
    "series": SERIES_SCHEMA,
    "medications": MEDICATIONS_SCHEMA,
    "folds": FOLDS_SCHEMA,
    "codes": CODES_SCHEMA,
    "unmapped_codes": UNMAPPED_SCHEMA,
}
"""Columns of the tables that ingestion writes, in file order."""

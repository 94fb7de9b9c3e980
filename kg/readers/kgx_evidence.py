"""What a KGX edge says beside subject, predicate and object: qualifiers, where it comes from, how often it holds."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from kg.readers.graph_columns import Flags, coded
from kg.readers.hpoa import frequency_weight

Shares = npt.NDArray[np.float64]

QUALIFIERS = (
    "qualifiers", "qualified_predicate",
    "subject_aspect_qualifier", "subject_direction_qualifier", "subject_form_or_variant_qualifier",
    "object_aspect_qualifier", "object_direction_qualifier", "object_form_or_variant_qualifier",
    "onset_qualifier", "sex_qualifier", "severity_qualifier", "anatomical_context_qualifier",
    "disease_context_qualifier", "species_context_qualifier", "causal_mechanism_qualifier",
)  # fmt: skip
SOURCES = ("primary_knowledge_source", "original_knowledge_source", "knowledge_source", "provided_by")
LEVELS = ("knowledge_level", "agent_type")
FREQUENCIES = ("frequency_qualifier", "has_quotient")

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def weights(table: pa.Table) -> tuple[Shares, Flags]:
    """Give the share of patients that a frequency stands for (1 where none is given), and where that is none."""
    found = np.full(table.num_rows, np.nan)
    for column in FREQUENCIES:
        if column in table.column_names:
            codes, values = coded(table[column])
            shares = np.array([_share(value) for value in values.to_pylist()] or [np.nan])
            found = np.where(np.isnan(found) | ~np.isnan(shares[codes]), shares[codes], found)
    return np.nan_to_num(found, nan=1.0), found == 0.0


def _share(written: str) -> float:
    """Give a frequency as a share; not a number where there is none or it cannot be read."""
    text = written.strip()
    try:
        share = float(text) if _NUMBER.fullmatch(text) else frequency_weight(text) if text else np.nan
    except ValueError:
        return np.nan
    return share if 0.0 <= share <= 1.0 else np.nan


def text_of(table: pa.Table, column: str) -> pl.Series:
    """Give a column as trimmed text; empty texts where the table lacks it."""
    if column not in table.column_names:
        return pl.repeat("", table.num_rows, dtype=pl.String, eager=True)
    return pl.Series(pl.from_arrow(table[column])).cast(pl.String).str.strip_chars()


def flags(table: pa.Table, column: str) -> Flags:
    """Say in which rows a column says true."""
    if column not in table.column_names:
        return np.zeros(table.num_rows, dtype=np.bool_)
    codes, values = coded(table[column])
    true = np.array([value.strip().lower() in ("true", "1", "yes") for value in values.to_pylist()], dtype=np.bool_)
    found: Flags = true[codes]
    return found


def notes(predicate: pl.Series, table: pa.Table, separator: str) -> pl.Series:
    """Put together the predicate's own name, qualifiers and where the edge comes from."""
    present = set(table.column_names)
    parts = {"predicate": predicate}
    for column in (*QUALIFIERS, *LEVELS):
        if column in present:
            label = column.removesuffix("_qualifier").replace("_", " ")
            parts[column] = _labelled(text_of(table, column), f"{label} ")
    sources = [text_of(table, column) for column in SOURCES if column in present]
    if sources:
        first = pl.DataFrame({str(i): s for i, s in enumerate(sources)}).select(
            pl.coalesce(pl.when(pl.col(str(i)) != "").then(pl.col(str(i))) for i in range(len(sources)))
        )
        parts["source"] = first.to_series().fill_null("")
    frame = pl.DataFrame([pl.Series(name, part) for name, part in parts.items()])
    filled = [
        pl.when(pl.col(name) != "").then(pl.col(name).str.replace_all(separator, ", ", literal=True)) for name in parts
    ]
    return frame.select(pl.concat_str(filled, separator="; ", ignore_nulls=True).fill_null("")).to_series()


def _labelled(texts: pl.Series, label: str) -> pl.Series:
    frame = pl.DataFrame({"text": texts})
    return frame.select(
        pl.when(pl.col("text") != "").then(pl.lit(label) + pl.col("text")).otherwise(pl.lit(""))
    ).to_series()

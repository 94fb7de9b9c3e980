"""Abnormal labs and vital signs of an admission, robust to single artefacts.

A value is abnormal against the laboratory's own reference range where it gave one, else against ``ehr/series.csv``. A
direction counts where two values are abnormal or one is clearly so; a dense series (a monitored vital sign) must spend
a share of its values there. What was not measured gives nothing: missing stays missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

CLEAR = 0.35
"""A single value counts when it lies this far outside, in widths of the normal range."""
DENSE = 12
"""From this many values on, a series is a monitored one."""
DENSE_SHARE = 0.1
"""Share of a monitored series' values that must be abnormal."""
FULL = 1.5
"""Distance outside, in widths of the normal range, from which the weight is 1."""
LEAST = 0.4
"""Weight of a value just outside."""


@dataclass(frozen=True, slots=True)
class Range:
    """A series' reference and plausible range, in its unit; ``kind`` is ``lab`` or ``vital``."""

    code: str
    kind: str
    unit: str
    low: float | None
    high: float | None
    plausible_low: float | None
    plausible_high: float | None


def abnormal_values(series: pl.DataFrame, ranges: Iterable[Range]) -> pl.DataFrame:
    """Give each admission's abnormal series: one row an admission, code and direction.

    Args:
        series: the cohort's table ``series``.
        ranges: reference ranges of the series that count.

    Returns:
        ``admission_id``, ``code``, ``kind``, ``direction`` (high, low), ``value`` and ``hours`` of the most abnormal
        value that does not stand alone, ``unit``, ``weight`` in [0, 1]; sorted.
    """
    table = _range_table(list(ranges))
    values = series.select("admission_id", "code", "hours", "value", "reference_low", "reference_high").join(
        table, on="code", how="inner"
    )
    values = values.filter(
        pl.col("value").is_finite()
        & (pl.col("plausible_low").is_null() | (pl.col("value") >= pl.col("plausible_low")))
        & (pl.col("plausible_high").is_null() | (pl.col("value") <= pl.col("plausible_high")))
    )
    values = values.with_columns(
        bottom=pl.coalesce("reference_low", "low"), top=pl.coalesce("reference_high", "high")
    ).with_columns(width=_width(pl.col("bottom"), pl.col("top")))
    sides = [_side(values, "high"), _side(values, "low")]
    return pl.concat(sides).sort("admission_id", "code", "direction")


def _range_table(ranges: Sequence[Range]) -> pl.DataFrame:
    names = ("code", "kind", "unit", "low", "high", "plausible_low", "plausible_high")
    text = {"code", "kind", "unit"}
    return pl.DataFrame(
        [tuple(getattr(r, name) for name in names) for r in ranges],
        schema={name: pl.String if name in text else pl.Float64 for name in names},
        orient="row",
    )


def _width(bottom: pl.Expr, top: pl.Expr) -> pl.Expr:
    """Width of the normal range; where one end is missing or zero, half of the other, so that distances compare."""
    one_sided = bottom.is_null() | top.is_null() | (bottom <= 0)
    either = pl.coalesce(top, bottom).abs() * 0.5
    return pl.when(one_sided).then(either).otherwise(top - bottom).clip(lower_bound=1e-6)


def _side(values: pl.DataFrame, direction: str) -> pl.DataFrame:
    """Collect one direction: how far, how often, and the most abnormal value that is confirmed."""
    high = direction == "high"
    outside = (pl.col("value") - pl.col("top")) if high else (pl.col("bottom") - pl.col("value"))
    measured = values.group_by("admission_id", "code").agg(pl.len().alias("measured"))
    far = values.with_columns(distance=outside / pl.col("width")).filter(pl.col("distance") > 0)
    far = far.sort(["admission_id", "code", "distance", "hours"], descending=[False, False, True, False])
    grouped = far.group_by("admission_id", "code", "kind", "unit", maintain_order=True).agg(
        pl.len().alias("abnormal"),
        pl.col("value").head(2),
        pl.col("hours").head(2),
        pl.col("distance").head(2),
    )
    grouped = grouped.join(measured, on=["admission_id", "code"], how="inner")
    worst = pl.col("distance").list.first()
    dense = pl.col("measured") >= DENSE
    enough = (
        pl.when(dense)
        .then((pl.col("abnormal") >= 2) & (pl.col("abnormal") >= DENSE_SHARE * pl.col("measured")))
        .otherwise((pl.col("abnormal") >= 2) | (worst >= CLEAR))
    )
    # In a monitored series the single most extreme value is often an artefact; the second is confirmed by the first.
    place = pl.when(dense & (pl.col("abnormal") >= 2)).then(1).otherwise(0)
    chosen = grouped.filter(enough).with_columns(place=place)
    return chosen.select(
        "admission_id",
        "code",
        "kind",
        pl.lit(direction).alias("direction"),
        pl.col("value").list.get(pl.col("place")),
        pl.col("hours").list.get(pl.col("place")),
        "unit",
        _weight(pl.col("distance").list.get(pl.col("place"))).alias("weight"),
    )


def _weight(distance: pl.Expr) -> pl.Expr:
    return (LEAST + (1 - LEAST) * distance / FULL).clip(upper_bound=1.0).round(6)

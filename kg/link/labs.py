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
TREND_VALUES = 4
"""From this many values on, a series that stays within its range may show a trend."""
TREND_HOURS = 12.0
"""Over at least so many hours."""
TREND_CHANGE = 0.6
"""Change from the first to the last quarter of the values, in widths of the normal range."""
TREND_STEPS = 0.7
"""Share of the steps between values that must go the same way."""
TREND_EDGE = 0.15
"""How near to its limit, in widths of the normal range, a series must end."""
TREND_WEIGHT = 0.3
"""Weight of a trend: less than that of any abnormal value."""


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
    values = _plausible(series, ranges)
    sides = [_side(values, "high"), _side(values, "low")]
    return pl.concat(sides).sort("admission_id", "code", "direction")


def trends(series: pl.DataFrame, ranges: Iterable[Range]) -> pl.DataFrame:
    """Give each admission's series that rise or fall over the stay towards a limit which they do not clearly pass.

    What is abnormal is told by `abnormal_values`; where both say something, the caller keeps that.

    Args:
        series: the cohort's table ``series``.
        ranges: reference ranges of the series that count.

    Returns:
        The columns of `abnormal_values`; ``direction`` is ``rising`` or ``falling``, ``value`` and ``hours`` are those
        of the last value.
    """
    values = _plausible(series, ranges).sort("admission_id", "code", "hours", "value")
    step = pl.col("value").diff()
    quarter = (pl.len() // 4).clip(lower_bound=1)
    grouped = values.group_by("admission_id", "code", "kind", "unit", maintain_order=True).agg(
        pl.len().alias("measured"),
        (pl.col("hours").last() - pl.col("hours").first()).alias("lasted"),
        pl.col("value").head(quarter).median().alias("began"),
        pl.col("value").tail(quarter).median().alias("ended"),
        (step > 0).sum().alias("up"),
        (step < 0).sum().alias("down"),
        pl.col("value").last(),
        pl.col("hours").last(),
        pl.col("bottom").last(),
        pl.col("top").last(),
        pl.col("width").last(),
    )
    long = (pl.col("measured") >= TREND_VALUES) & (pl.col("lasted") >= TREND_HOURS)
    change = (pl.col("ended") - pl.col("began")) / pl.col("width")
    steps = pl.col("up") + pl.col("down")
    rising = (
        (change >= TREND_CHANGE)
        & (pl.col("up") >= TREND_STEPS * steps)
        & (pl.col("ended") >= pl.col("top") - TREND_EDGE * pl.col("width"))
    )
    falling = (
        (change <= -TREND_CHANGE)
        & (pl.col("down") >= TREND_STEPS * steps)
        & (pl.col("ended") <= pl.col("bottom") + TREND_EDGE * pl.col("width"))
    )
    direction = pl.when(rising).then(pl.lit("rising")).when(falling).then(pl.lit("falling"))
    found = grouped.filter(long).with_columns(direction=direction, weight=pl.lit(TREND_WEIGHT))
    columns = ("admission_id", "code", "kind", "direction", "value", "hours", "unit", "weight")
    return found.filter(pl.col("direction").is_not_null()).select(columns).sort("admission_id", "code")


def _plausible(series: pl.DataFrame, ranges: Iterable[Range]) -> pl.DataFrame:
    """Give the values that can be true, with the limits that hold for them (``bottom``, ``top``, ``width``)."""
    table = _range_table(list(ranges))
    values = series.select("admission_id", "code", "hours", "value", "reference_low", "reference_high").join(
        table, on="code", how="inner"
    )
    values = values.filter(
        pl.col("value").is_finite()
        & (pl.col("plausible_low").is_null() | (pl.col("value") >= pl.col("plausible_low")))
        & (pl.col("plausible_high").is_null() | (pl.col("value") <= pl.col("plausible_high")))
    )
    return values.with_columns(
        bottom=pl.coalesce("reference_low", "low"), top=pl.coalesce("reference_high", "high")
    ).with_columns(width=_width(pl.col("bottom"), pl.col("top")))


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

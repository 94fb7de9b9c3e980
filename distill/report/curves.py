"""Curves of labs and vital signs as small multiples: values as measured, gaps where nothing was, attention as shade."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from distill.teachers.sentences import format_unit, format_value
from distill.types import DiseaseResult
from ehr.series import SeriesDefinition
from ehr.types import TimeSeries

WIDTH, HEIGHT = 300.0, 150.0
LEFT, RIGHT, TOP, BOTTOM = 40.0, 8.0, 8.0, 22.0
LEAST_GAP = 6.0
"""A line is never broken over fewer hours than this without a value …"""
MOST_GAP = 48.0
"""… and always over more than this; between the two, by how often the series was measured."""
_GAP_FACTOR = 4.0
_DOTS = 120
"""Of more values than this, only abnormal ones get a dot, a small one."""


@dataclass(frozen=True, slots=True)
class Shade:
    """Hours that a diagnosis attended to: a rectangle with an opacity."""

    x: float
    width: float
    opacity: float
    title: str


@dataclass(frozen=True, slots=True)
class Dot:
    """One measured value."""

    x: float
    y: float
    abnormal: bool
    title: str


@dataclass(frozen=True, slots=True)
class Curve:
    """One series to draw; all lengths in the units of a 300 by 150 canvas."""

    code: str
    name: str
    unit: str
    summary: str
    lines: tuple[str, ...]
    dots: tuple[Dot, ...]
    band: tuple[float, float] | None
    shades: tuple[Shade, ...]
    y_ticks: tuple[tuple[float, str], ...]
    x_ticks: tuple[tuple[float, str], ...]
    attention: float
    abnormal: int
    radius: float


def _ticks(low: float, high: float) -> list[float]:
    """Give two to five round numbers between ``low`` and ``high``, by steps of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(high - low))
    found: list[float] = []
    for step in (power, power / 2, power / 5, power / 10):
        first = math.ceil(low / step - 1e-9)
        found = [round(i * step, 10) for i in range(first, math.floor(high / step + 1e-9) + 1)]
        if len(found) >= 3:
            break
    return found if len(found) <= 5 else found[:: math.ceil(len(found) / 5)]


def _hour_ticks(low: float, high: float) -> list[float]:
    steps = (1, 2, 3, 6, 12, 24, 48, 72, 96, 168, 336, 720)
    step = next((s for s in steps if (high - low) / s <= 6), math.ceil((high - low) / 6))
    return [float(h) for h in range(math.ceil(low / step) * step, math.floor(high) + 1, step)]


def time_window(series: Sequence[TimeSeries], diseases: Sequence[DiseaseResult]) -> tuple[float, float]:
    """Give the hours that all curves share: whatever was measured or attended to."""
    starts = [float(s.hours.min()) for s in series if s.hours.size]
    ends = [float(s.hours.max()) for s in series if s.hours.size]
    for disease in diseases:
        starts += [patch.start_hour for patch in disease.patches]
        ends += [patch.end_hour for patch in disease.patches]
    low, high = min(starts, default=0.0), max(ends, default=24.0)
    return (math.floor(low), max(math.ceil(high), math.floor(low) + 1))


def _shades(code: str, diseases: Sequence[DiseaseResult], window: tuple[float, float], strongest: float) -> list[Shade]:
    merged: dict[tuple[float, float], list[tuple[float, str]]] = {}
    for disease in diseases:
        for patch in disease.patches:
            if patch.code == code and patch.weight > 0:
                merged.setdefault((patch.start_hour, patch.end_hour), []).append((patch.weight, disease.name))
    shades = []
    scale = (WIDTH - LEFT - RIGHT) / (window[1] - window[0])
    for (start, end), weights in sorted(merged.items()):
        left, right = max(start, window[0]), min(end, window[1])
        if right <= left:
            continue
        weight = max(w for w, _ in weights)
        told = "; ".join(f"{name} {w:.1%}" for w, name in sorted(weights, key=lambda e: (-e[0], e[1])))
        shades.append(
            Shade(
                round(LEFT + (left - window[0]) * scale, 1),
                round((right - left) * scale, 1),
                round(0.08 + 0.52 * weight / strongest, 3),
                f"hours {start:g} to {end:g}, attention: {told}",
            )
        )
    return shades


def _segments(hours: Sequence[float]) -> list[tuple[int, int]]:
    """Cut where a stretch without values is long against how often this series was measured."""
    if len(hours) < 2:
        return [(0, len(hours))]
    steps = np.diff(np.asarray(hours))
    longest = min(max(LEAST_GAP, _GAP_FACTOR * float(np.median(steps))), MOST_GAP)
    cuts = [0, *(int(i) + 1 for i in np.flatnonzero(steps > longest)), len(hours)]
    return list(pairwise(cuts))


def _curve(
    series: TimeSeries,
    definition: SeriesDefinition,
    window: tuple[float, float],
    shades: Sequence[Shade],
    attention: float,
) -> Curve:
    hours, values = series.hours.tolist(), series.values.tolist()
    bounds = [b for b in (definition.low, definition.high) if b is not None]
    low, high = min([*values, *bounds]), max([*values, *bounds])
    margin = 0.08 * (high - low) or max(abs(high) * 0.05, 0.5)
    low, high = low - margin if low < 0 or low - margin > 0 else 0.0, high + margin
    across = (WIDTH - LEFT - RIGHT) / (window[1] - window[0])
    down = (HEIGHT - TOP - BOTTOM) / (high - low)
    xs = [round(LEFT + (h - window[0]) * across, 1) for h in hours]
    ys = [round(HEIGHT - BOTTOM - (v - low) * down, 1) for v in values]
    unit = format_unit(series.unit)

    def outside(value: float) -> bool:
        below = definition.low is not None and value < definition.low
        return below or (definition.high is not None and value > definition.high)

    abnormal = sum(outside(v) for v in values)
    dots = tuple(
        Dot(x, y, outside(v), f"hour {h:.1f}: {format_value(v)} {unit}".rstrip())
        for x, y, h, v in zip(xs, ys, hours, values, strict=True)
        if len(values) <= _DOTS or outside(v)
    )
    lines = tuple(
        " ".join(f"{'M' if i == a else 'L'}{xs[i]} {ys[i]}" for i in range(a, b))
        for a, b in _segments(hours)
        if b - a > 1
    )
    band = None
    if bounds:
        top = HEIGHT - BOTTOM - ((definition.high if definition.high is not None else high) - low) * down
        bottom = HEIGHT - BOTTOM - ((definition.low if definition.low is not None else low) - low) * down
        band = (round(top, 1), round(bottom - top, 1))
    count = f"{len(values)} value" + ("s" if len(values) != 1 else "")
    reach = (
        f"{format_value(min(values))} to {format_value(max(values))}" if len(values) > 1 else format_value(values[0])
    )
    return Curve(
        code=series.code,
        name=definition.name,
        unit=unit,
        summary=f"{count}, {reach} {unit}".rstrip() + (f", {abnormal} outside the reference range" if bounds else ""),
        lines=lines,
        dots=dots,
        band=band,
        shades=tuple(shades),
        y_ticks=tuple((round(HEIGHT - BOTTOM - (t - low) * down, 1), f"{t:g}") for t in _ticks(low, high)),
        x_ticks=tuple((round(LEFT + (t - window[0]) * across, 1), f"{t:g}") for t in _hour_ticks(*window)),
        attention=attention,
        abnormal=abnormal,
        radius=2.2 if len(values) <= _DOTS else 1.2,
    )


def draw_curves(
    series: Sequence[TimeSeries], diseases: Sequence[DiseaseResult], definitions: Mapping[str, SeriesDefinition]
) -> list[Curve]:
    """Place the curves of an admission on one time axis.

    Args:
        series: as measured; a series without values gives no curve.
        diseases: whose attended patches are shaded; the opacity is relative to the strongest patch of all.
        definitions: reference ranges and names by code.

    Returns:
        Attended series first, then those with most values outside their reference range.
    """
    measured = [s for s in series if s.hours.size and s.code in definitions]
    window = time_window(measured, diseases)
    weights = [patch.weight for disease in diseases for patch in disease.patches]
    strongest = max(weights, default=0.0) or 1.0
    curves = []
    for one in measured:
        shades = _shades(one.code, diseases, window, strongest)
        attention = sum(p.weight for d in diseases for p in d.patches if p.code == one.code)
        curves.append(_curve(one, definitions[one.code], window, shades, attention))
    return sorted(curves, key=lambda c: (-c.attention, -c.abnormal, c.code))

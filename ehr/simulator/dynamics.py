"""The course of labs and vitals over a stay, when they are measured, and what goes wrong in measuring.

A series is its typical value, the person's own level, slow and fast noise, and the effects of the case, each of which
rises from onset to peak and recovers. In one direction the largest effect counts whole and the others by a third.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ehr.simulator.cases import Case, Patient
from ehr.simulator.tables import SERIES, BoolArray, FloatArray, IntArray, Tables

SLOW_STEP = 12.0
_OVERLAP = 0.35

BOUNDS = {
    "SpO2": (55.0, 100.0),
    "FiO2": (21.0, 100.0),
    "neutrophils": (5.0, 98.0),
    "pH": (6.85, 7.68),
    "potassium": (2.0, 8.2),
    "sodium": (108.0, 172.0),
    "temperature": (32.5, 41.4),
    "SBP": (48.0, 235.0),
    "DBP": (24.0, 135.0),
    "MBP": (32.0, 165.0),
    "HR": (28.0, 190.0),
    "RR": (6.0, 48.0),
    "bicarbonate": (5.0, 48.0),
    "anion gap": (3.0, 40.0),
    "calcium": (5.0, 13.5),
    "magnesium": (0.7, 4.5),
    "chloride": (78.0, 135.0),
    "albumin": (1.2, 5.4),
    "hemoglobin": (3.8, 19.0),
    "pCO2": (15.0, 130.0),
    "glucose": (38.0, 1100.0),
    "weight": (38.0, 210.0),
    "creatinine": (0.3, 13.0),
    "BUN": (3.0, 170.0),
    "CRP": (0.1, 430.0),
    "WBC": (0.4, 75.0),
    "lactate": (0.3, 18.0),
    "platelets": (8.0, 950.0),
    "INR": (0.8, 9.5),
    "bilirubin": (0.1, 38.0),
    "troponin T": (0.001, 12.0),
    "CK-MB": (0.5, 400.0),
    "NT-proBNP": (10.0, 70000.0),
    "HbA1c": (4.0, 15.0),
    "phosphate": (0.8, 11.0),
}
"""Least and greatest value that a series reaches, in its own unit."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Measurements of one admission, all arrays of one length.

    Attributes:
        hours: from admission, of the specimen or of charting.
        series, values: which series and its value in the series' unit.
        draw: number of the blood draw for labs, -1 for vitals.
        intensive: 1 for what was measured in intensive care, else 0.
        pick, luck: uniform numbers that choose item id and measuring errors; luck is 0.5 where none may happen.
    """

    hours: FloatArray
    series: IntArray
    values: FloatArray
    draw: IntArray
    intensive: IntArray
    pick: FloatArray
    luck: FloatArray


def _vital_times(case: Case, generator: np.random.Generator) -> tuple[FloatArray, IntArray]:
    """Give charting times and whether they are on the ward: about hourly at first in intensive care, else sparse."""
    times: list[FloatArray] = []
    wards: list[IntArray] = []
    start, end = case.icu or (0.0, 0.0)
    if case.icu:
        gaps = np.concatenate([np.full(12, 1.0), np.full(16, 2.0), np.full(40, 4.0)]) * generator.uniform(0.75, 1.3, 68)
        charted = start + np.cumsum(gaps)
        charted = charted[charted < end]
        times.append(charted)
        wards.append(np.zeros(len(charted), dtype=np.int64))
    step = float(np.clip(11.0 - 2.0 * case.intensity, 6.0, 11.0))
    count = int(min(case.stay_hours / step, 24))
    ward = np.sort(np.arange(count) * step + 0.5 + generator.uniform(0, 0.6 * step, count))
    ward = ward[((ward < start) | (ward > end)) & (ward < case.stay_hours) & (generator.random(count) < 0.8)]
    times.append(ward)
    wards.append(np.ones(len(ward), dtype=np.int64))
    return np.concatenate(times), np.concatenate(wards)


def _draw_times(case: Case, arrival: float, generator: np.random.Generator) -> FloatArray:
    """Give times of blood draws: on arrival, each morning, and more often the sicker the patient."""
    first = float(generator.uniform(-1.8, 0.8))
    mornings = np.arange(24.0 - arrival + 5.5, case.stay_hours, 24.0)
    mornings = mornings + generator.normal(0, 0.6, len(mornings))
    keep = generator.random(len(mornings)) < (0.95 if case.icu else 0.85)
    extra = generator.uniform(2.0, min(60.0, case.stay_hours), int(generator.poisson(min(1.2 * case.intensity, 6.0))))
    return np.unique(np.concatenate([[first], mornings[keep], extra]))


def _noise(tables: Tables, times: FloatArray, generator: np.random.Generator) -> FloatArray:
    """Give slow and fast noise in units of ``within``, shape ``(times, series)``."""
    count = len(tables.series)
    grid = (times - times.min()) / SLOW_STEP
    knots = generator.standard_normal((int(grid.max()) + 2, count))
    low = np.floor(grid).astype(np.int64)
    part = (grid - low)[:, None]
    slow: FloatArray = knots[low] * (1 - part) + knots[low + 1] * part
    return 0.6 * slow + 0.8 * generator.standard_normal((len(times), count))


def _moved(tables: Tables, case: Case, times: FloatArray) -> FloatArray:
    """Give the sum of effects in effect units, shape ``(times, series)``."""
    shape = (2, len(tables.series), len(times))
    largest, total = np.zeros(shape), np.zeros(shape)
    if not case.effects:
        return np.zeros((len(times), len(tables.series)))
    columns = np.array([(e.onset, e.peak, e.recovery, e.size) for e in case.effects]).T[:, :, None]
    onset, peak, recovery, size = columns
    rise = np.clip((times - onset) / np.maximum(peak - onset, 0.5), 0, 1)
    decay = np.where(recovery > 0, np.exp(-np.maximum(times - peak, 0) / np.maximum(recovery, 1.0)), 1.0)
    curves = size * rise * rise * (3 - 2 * rise) * decay
    for effect, curve in zip(case.effects, curves, strict=True):
        side = 1 if effect.sign > 0 else 0
        total[side, effect.series] += curve
        np.maximum(largest[side, effect.series], curve, out=largest[side, effect.series])
    both = largest + _OVERLAP * (total - largest)
    moved: FloatArray = (both[1] - both[0]).T
    return moved


def _levels(tables: Tables, patient: Patient, case: Case) -> FloatArray:
    """Give the person's own level in units of ``between``, with sex, height and build, shape ``(series,)``."""
    levels = patient.between.copy()
    names = {series.name: place for place, series in enumerate(tables.series)}
    levels[names["MBP"]] = 0.5 * levels[names["SBP"]] + 0.8 * levels[names["DBP"]]
    levels[names["hemoglobin"]] += -0.35 if patient.female else 0.35
    levels[names["creatinine"]] += -0.4 if patient.female else 0.4
    levels[names["weight"]] += -0.45 if patient.female else 0.45
    if any(tables.findings[place].key == "obesity" for place in case.findings):
        levels[names["weight"]] += 1.6
    return levels


def trajectory(
    tables: Tables, patient: Patient, case: Case, times: FloatArray, generator: np.random.Generator
) -> FloatArray:
    """Give every series at every time in its unit, shape ``(times, series)``, suppressed directions clamped."""
    typical = np.array([series.typical for series in tables.series])
    between = np.array([series.between for series in tables.series]) * _levels(tables, patient, case)
    within = np.array([series.within for series in tables.series])
    unit = np.array([series.unit for series in tables.series])
    log = np.array([series.log for series in tables.series])
    shift = between + within * _noise(tables, times, generator) + unit * _moved(tables, case, times)
    values: FloatArray = np.where(log, typical * np.exp(np.where(log, shift, 0.0)), typical + shift)
    for place, series in enumerate(tables.series):
        if series.name in BOUNDS:
            np.clip(values[:, place], *BOUNDS[series.name], out=values[:, place])
    for kind, place, sign in sorted(case.limits.suppressed):
        if kind == SERIES:
            _clamp(tables, values, place, sign, generator)
    return values


def _clamp(tables: Tables, values: FloatArray, place: int, sign: int, generator: np.random.Generator) -> None:
    """Bring a series back inside its reference range on one side, without piling values up at the border."""
    low, high = tables.limits[place]
    limit = high if sign > 0 else low
    if np.isnan(limit):
        return
    width = (high - low) if np.isfinite(high - low) else abs(limit)
    inside = limit - sign * width * generator.uniform(0.02, 0.3, len(values))
    column = values[:, place]
    outside = column > limit - 0.02 * width if sign > 0 else column < limit + 0.02 * width
    column[outside] = inside[outside]


def measure(
    tables: Tables, patient: Patient, case: Case, arrival: float, generator: np.random.Generator
) -> tuple[Measured, dict[str, float]]:
    """Measure one admission.

    Args:
        tables: the simulator's tables.
        patient: whose levels.
        case: what moves the series, when what is charted and drawn.
        arrival: hour of the day of admission, 0 to 24.
        generator: of this admission's measurements.

    Returns:
        The measurements, and the vital signs on arrival by series name, as an examination's first line has them.
    """
    charted, ward = _vital_times(case, generator)
    draws = _draw_times(case, arrival, generator)
    times = np.concatenate([[0.0], charted, draws])
    values = trajectory(tables, patient, case, times, generator)
    arrival_vitals = {series.name: float(values[0, place]) for place, series in enumerate(tables.series)}
    mask = np.zeros(values.shape, dtype=bool)
    vitals = slice(1, 1 + len(charted))
    _plan_vitals(tables, case, values[vitals], mask[vitals], ward, generator)
    _plan_labs(tables, case, mask[1 + len(charted) :], generator)
    row, column = np.nonzero(mask)
    number = np.where(row > len(charted), row - 1 - len(charted), -1)
    start, end = case.icu or (0.0, 0.0)
    intensive = ((times[row] >= start) & (times[row] < end)).astype(np.int64)
    pick = generator.random(len(row))
    # All vitals of one time come from one device, so pressures are either all arterial or all by cuff.
    pick = np.where(number < 0, generator.random(len(times))[row], pick)
    luck = generator.random(len(row))
    untouched = [place for kind, place, _ in case.limits.suppressed if kind == SERIES]
    luck = np.where(np.isin(column, untouched), 0.5, luck)
    measured = Measured(times[row], column.astype(np.int64), values[row, column], number, intensive, pick, luck)
    return measured, arrival_vitals


def _plan_vitals(
    tables: Tables, case: Case, values: FloatArray, mask: BoolArray, ward: IntArray, generator: np.random.Generator
) -> None:
    """Choose which vitals are charted when: temperature every few hours, oxygen only where it is given."""
    names = {series.name: place for place, series in enumerate(tables.series)}
    uniform = generator.random(values.shape)
    for name in ("HR", "SBP", "DBP", "MBP", "RR", "SpO2"):
        mask[:, names[name]] = uniform[:, names[name]] < 0.96
    mask[:, names["MBP"]] &= ward == 0
    mask[:, names["DBP"]] = mask[:, names["SBP"]]
    place = names["temperature"]
    mask[:, place] = uniform[:, place] < np.where(ward == 1, 0.9, 0.3)
    place = names["FiO2"]
    mask[:, place] = (values[:, place] > 24.0) & (uniform[:, place] < 0.45) & (ward == 0)
    place = names["weight"]
    weighed = generator.random() < 0.75
    mask[:, place] = weighed & (uniform[:, place] < 0.04)
    if weighed and len(mask):
        mask[0, place] = True
    for series in sorted(case.must_measure):
        if tables.series[series].panel == "vital" and len(mask):
            mask[:, series] |= generator.random(len(mask)) < 0.5


def _plan_labs(tables: Tables, case: Case, mask: BoolArray, generator: np.random.Generator) -> None:
    """Choose which panels are drawn when: what is suspected at the first draw, again by panel and severity."""
    if not len(mask):
        return
    draws = len(mask)
    for place, (name, repeat, once) in enumerate(tables.panels):
        if place not in case.suspected:
            continue
        members = [series for series, baseline in enumerate(tables.series) if baseline.panel == name]
        drawn = generator.random(draws) < min(repeat * (1.0 + 0.12 * case.intensity), 0.98)
        drawn[0] = True
        if once:
            drawn[1:] = False
            if draws > 1 and generator.random() < 0.6:
                drawn[:2] = False, True
        kept = generator.random((draws, len(members))) < 0.97
        mask[:, members] = drawn[:, None] & kept
    for series in sorted(case.must_measure):
        if tables.series[series].panel not in {"vital", "weight"}:
            mask[min(1, draws - 1), series] = True

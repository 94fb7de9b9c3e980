"""From diseases to what a patient shows: findings, moved series, drugs, panels suspected, stay.

One `Patient` has a split and its admissions, each a `Case`. All randomness of a patient comes from streams of its own,
so a patient is the same however many others are simulated.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ehr.simulator.conditions import draw_age, draw_conditions, logit, probability
from ehr.simulator.holdout import Allowed, HoldOut, allowed
from ehr.simulator.tables import DRUG, FINDING, SERIES, FloatArray, SeriesLink, Tables, Unit

BACKGROUND = -1
"""Cause of what is shown without a disease."""

BLOCK = ("train",) * 18 + ("dev",) * 3 + ("test",) * 4 + ("test_words",) * 4 + ("test_links",) * 4
"""Patients are dealt to the splits in shuffled blocks of 33, so any cohort of some size has all five."""

ADMISSION_COUNTS = (0.55, 0.22, 0.12, 0.07, 0.04)
"""Probability of one to five admissions."""

STRAY_RATE = 0.035
"""Probability that a series is moved in one direction by something that is none of the 25."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A series moved in one admission, in effect units of the series; hours from admission, recovery 0 is lasting."""

    series: int
    sign: int
    size: float
    onset: float
    peak: float
    recovery: float
    cause: int


@dataclass(slots=True)
class Case:
    """One admission before anything is measured or written."""

    number: int
    age: float
    diseases: list[int]
    severity: FloatArray
    limits: Allowed
    days_before: float
    findings: dict[int, int] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    home_drugs: dict[int, int] = field(default_factory=dict)
    ward_drugs: dict[int, int] = field(default_factory=dict)
    must_measure: set[int] = field(default_factory=set)
    suspected: set[int] = field(default_factory=set)
    intensity: float = 0.0
    stay_hours: float = 48.0
    icu: tuple[float, float] | None = None
    at_risk: bool = False
    died: bool = False

    def shows(self, unit: Unit) -> bool:
        """Say whether the case shows a unit from whatever cause."""
        kind, place, sign = unit
        if kind == FINDING:
            return place in self.findings
        if kind == DRUG:
            return place in self.home_drugs
        return any(effect.series == place and effect.sign == sign for effect in self.effects)


@dataclass(slots=True)
class Patient:
    """A patient with all admissions, in time order."""

    index: int
    split: str
    female: bool
    anchor_age: int
    anchor_year: int
    group: int
    real_year: int
    first_day: float
    between: FloatArray
    cases: list[Case]


def stream(seed: int, patient: int, *more: int) -> np.random.Generator:
    """Give the random stream of a patient (and of a part of it)."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(1, patient, *more))))


def split_of(seed: int, patient: int) -> str:
    """Give a patient's split: blocks of patients are shuffled by seed and block number."""
    block, place = divmod(patient, len(BLOCK))
    order = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2, block))).permutation(len(BLOCK))
    return BLOCK[int(order[place])]


def count_of(seed: int, patient: int) -> int:
    """Give how many admissions a patient has."""
    return 1 + int(stream(seed, patient, 9).choice(len(ADMISSION_COUNTS), p=ADMISSION_COUNTS))


def make_patient(tables: Tables, holdout: HoldOut, seed: int, index: int, admissions: int | None = None) -> Patient:
    """Draw a patient; ``admissions`` cuts the number of admissions (the last patient of a cohort)."""
    generator = stream(seed, index)
    split = split_of(seed, index)
    count = count_of(seed, index)
    group = int(generator.integers(4))
    anchor_age = int(draw_age(generator, 1)[0])
    patient = Patient(
        index=index,
        split=split,
        female=bool(generator.random() < 0.46),
        anchor_age=anchor_age,
        anchor_year=2110 + int(generator.integers(0, 80)),
        group=group,
        real_year=2008 + 3 * group + int(generator.integers(3)),
        first_day=float(generator.uniform(0, 360)),
        between=generator.standard_normal(len(tables.series)),
        cases=[],
    )
    lasting = generator.random(len(tables.diseases))
    days = 0.0
    drawn = []
    for number in range(count):
        if number:
            days += float(np.clip(generator.exponential(200.0), 12, 800))
        age = min(anchor_age + days / 365.25, 100.0)
        drawn.append((age, days, *draw_conditions(tables, age, lasting, stream(seed, index, 1, number))))
    everything = {place for _, _, places, _ in drawn for place in places}
    limits = allowed(holdout, everything, split)
    hours = 0.0
    for number, (age, days_before, places, severity) in enumerate(drawn[: admissions or count]):
        case = Case(number, age, places, severity, limits, days_before + hours / 24)
        _express(tables, case, stream(seed, index, 2, number))
        case.died = case.at_risk and number == count - 1
        hours += case.stay_hours
        patient.cases.append(case)
    return patient


def _express(tables: Tables, case: Case, generator: np.random.Generator) -> None:
    """Fill in everything that the case shows."""
    _findings(tables, case, generator)
    _home_drugs(tables, case, generator)
    _effects(tables, case, generator)
    for disease in case.diseases:
        _at_least_one(tables, case, disease, generator)
    _stay(tables, case, generator)
    _ward_drugs(tables, case, generator)
    _suspicion(tables, case, generator)


def _may(case: Case, disease: int, unit: Unit) -> bool:
    """Say whether a disease may express a unit in this patient."""
    if unit in case.limits.suppressed:
        return False
    return disease not in case.limits.only or unit in case.limits.only[disease]


def _findings(tables: Tables, case: Case, generator: np.random.Generator) -> None:
    for place, disease in enumerate(case.diseases):
        links = tables.finding_links[disease]
        uniform = generator.random(len(links))
        for link, draw in zip(links, uniform, strict=True):
            score = logit(link.probability) + link.slope * case.severity[place]
            if draw < probability(score) and _may(case, disease, (FINDING, link.finding, 0)):
                case.findings.setdefault(link.finding, disease)
    uniform = generator.random(len(tables.findings))
    for place, finding in enumerate(tables.findings):
        if uniform[place] < finding.background and (FINDING, place, 0) not in case.limits.suppressed:
            case.findings.setdefault(place, BACKGROUND)


def _home_drugs(tables: Tables, case: Case, generator: np.random.Generator) -> None:
    for disease in case.diseases:
        links = tables.home_links[disease]
        for link, draw in zip(links, generator.random(len(links)), strict=True):
            if draw < link.probability and _may(case, disease, (DRUG, link.drug, 0)):
                case.home_drugs.setdefault(link.drug, disease)
    uniform = generator.random(len(tables.home_drugs))
    for place, drug in enumerate(tables.home_drugs):
        if uniform[place] < drug.background and (DRUG, place, 0) not in case.limits.suppressed:
            case.home_drugs.setdefault(place, BACKGROUND)


def _effect(link: SeriesLink, severity: float, cause: int, generator: np.random.Generator) -> Effect:
    size = link.size * float(np.exp(link.slope * severity + 0.18 * generator.standard_normal()))
    shift = float(generator.normal(0, 0.25)) * max(link.peak - link.onset, 1.0) if link.recovery else 0.0
    return Effect(
        link.series,
        link.sign,
        min(size, 3.2 * link.size),
        link.onset,
        max(link.peak + shift, 1.0),
        link.recovery,
        cause,
    )


def _effects(tables: Tables, case: Case, generator: np.random.Generator) -> None:
    for place, disease in enumerate(case.diseases):
        links = tables.series_links[disease]
        severity = float(case.severity[place])
        for link, draw in zip(links, generator.random(len(links)), strict=True):
            score = logit(link.probability) + 0.3 * severity
            if draw < probability(score) and _may(case, disease, (SERIES, link.series, link.sign)):
                case.effects.append(_effect(link, severity, disease, generator))
    stray = np.argwhere(generator.random((len(tables.series), 2)) < STRAY_RATE)
    for series, column in stray:
        sign = 1 if column else -1
        if (SERIES, int(series), sign) not in case.limits.suppressed:
            peak = float(generator.uniform(0, 60))
            size = float(generator.uniform(0.8, 1.8))
            case.effects.append(Effect(int(series), sign, size, peak - 30, peak, 60.0, BACKGROUND))


def _at_least_one(tables: Tables, case: Case, disease: int, generator: np.random.Generator) -> None:
    """Let a disease that is restricted to its held-out links show one of them at least."""
    only = case.limits.only.get(disease)
    if not only or any(case.shows(unit) for unit in only):
        return
    weights: dict[Unit, float] = {}
    weights |= {(FINDING, link.finding, 0): link.probability for link in tables.finding_links[disease]}
    weights |= {(DRUG, link.drug, 0): link.probability for link in tables.home_links[disease]}
    weights |= {(SERIES, link.series, link.sign): link.probability for link in tables.series_links[disease]}
    choices = sorted(only)
    shares = np.array([weights[unit] for unit in choices])
    kind, place, sign = choices[int(generator.choice(len(choices), p=shares / shares.sum()))]
    if kind == FINDING:
        case.findings[place] = disease
    elif kind == DRUG:
        case.home_drugs[place] = disease
    else:
        severity = float(case.severity[case.diseases.index(disease)])
        link = next(link for link in tables.series_links[disease] if (link.series, link.sign) == (place, sign))
        case.effects.append(_effect(link, max(severity, 0.5), disease, generator))


def _stay(tables: Tables, case: Case, generator: np.random.Generator) -> None:
    """Draw length of stay, intensive care and death from what the patient has and how badly.

    A patient held to unseen links stays as somebody else of that age would: how closely a patient is watched would
    betray the disease.
    """
    places, severity = case.diseases, case.severity
    if case.limits.only:
        places, severity = draw_conditions(tables, case.age, generator.random(len(tables.diseases)), generator)
    worse = np.exp(0.35 * severity)
    diseases = [tables.diseases[place] for place in places]
    weight = float(sum(d.stay_hours * w for d, w in zip(diseases, worse, strict=True)))
    need = float(sum(d.icu * w for d, w in zip(diseases, worse, strict=True)))
    case.intensity = need
    hours = 52.0 * float(np.exp(0.4 * generator.standard_normal())) + 0.55 * weight
    case.stay_hours = float(np.clip(hours, 20, 900))
    if generator.random() < probability(-0.9 + 0.85 * need):
        start = float(generator.uniform(0.3, 9.0))
        length = 27.0 * float(np.exp(0.45 * generator.standard_normal())) + 11.0 * need
        case.icu = (start, float(min(start + length, case.stay_hours - 4.0)))
    risk = float(sum(d.death * w for d, w in zip(diseases, worse, strict=True)))
    case.at_risk = bool(generator.random() < probability(-5.6 + 0.9 * risk + 0.02 * (case.age - 64)))


def _ward_drugs(tables: Tables, case: Case, generator: np.random.Generator) -> None:
    """Draw orders; a disease held to its unseen links orders nothing of its own, and no suppressed drug is ordered."""
    for disease in case.diseases:
        links = tables.ward_links[disease]
        for link, draw in zip(links, generator.random(len(links)), strict=True):
            if draw < link.probability and disease not in case.limits.only:
                case.ward_drugs.setdefault(link.drug, disease)
    uniform = generator.random(len(tables.ward_drugs))
    for place, drug in enumerate(tables.ward_drugs):
        if uniform[place] < drug.background:
            case.ward_drugs.setdefault(place, BACKGROUND)
    for place in list(case.ward_drugs):
        home = tables.ward_drugs[place].home
        if home >= 0 and (DRUG, home, 0) in case.limits.suppressed:
            del case.ward_drugs[place]


def _suspicion(tables: Tables, case: Case, generator: np.random.Generator) -> None:
    """Draw which panels are ordered; what an unseen link moves is always measured."""
    for effect in case.effects:
        if effect.cause in case.limits.only:
            case.must_measure.add(effect.series)
    needed = {tables.series[series].panel for series in case.must_measure}
    uniform = generator.random(len(tables.panels))
    for place, (name, _, _) in enumerate(tables.panels):
        chances = [tables.suspicion[place, disease] for disease in case.diseases if disease not in case.limits.only]
        if uniform[place] < max([tables.suspicion[place, -1], *chances]) or name in needed:
            case.suspected.add(place)

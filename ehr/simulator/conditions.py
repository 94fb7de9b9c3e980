"""Who has which of the 25 phenotypes: prevalence, age, co-occurrence, persistence, severity.

Phenotypes are drawn in the order of ``diseases.toml``; each one's odds depend on age, on the earlier ones and on a
latent frailty. Intercepts are solved once so that prevalences over admissions are those of the table.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from ehr.simulator.tables import FloatArray, Tables, load_tables

AGE_MEAN, AGE_SD, AGE_LOW, AGE_HIGH = 64.0, 16.0, 18, 91
FRAILTY = 0.45
"""Log odds of every acute phenotype for one standard deviation of the admission's latent acuity."""

_CALIBRATION_PATIENTS = 20_000


def sigmoid(x: FloatArray) -> FloatArray:
    """Give the logistic function of an array."""
    result: FloatArray = 1.0 / (1.0 + np.exp(-x))
    return result


def probability(log_odds: float) -> float:
    """Give the probability of log odds."""
    return 1.0 / (1.0 + math.exp(-log_odds))


def logit(p: float) -> float:
    """Give the log odds of a probability between 0 and 1."""
    clipped = min(max(p, 1e-6), 1 - 1e-6)
    return math.log(clipped / (1 - clipped))


def draw_age(generator: np.random.Generator, count: int) -> FloatArray:
    """Draw ages in years, shape ``(count,)``."""
    ages: FloatArray = np.clip(np.round(generator.normal(AGE_MEAN, AGE_SD, count)), AGE_LOW, AGE_HIGH)
    return ages


def _log_odds(tables: Tables, place: int, age: FloatArray, frailty: FloatArray, present: FloatArray) -> FloatArray:
    """Give log odds without the intercept, shape ``(patients,)``; ``present`` has shape ``(patients, diseases)``."""
    disease = tables.diseases[place]
    score: FloatArray = np.log(disease.age) * (age - AGE_MEAN) / 10
    score = score + (0.0 if disease.chronic else FRAILTY) * frailty
    for other, ratio in disease.odds.items():
        score = score + np.log(ratio) * present[:, other]
    return score


@lru_cache(maxsize=1)
def intercepts() -> FloatArray:
    """Solve the intercept of each phenotype, shape ``(diseases,)``, on a fixed population of its own."""
    tables = load_tables()
    generator = np.random.default_rng(20)
    age = draw_age(generator, _CALIBRATION_PATIENTS)
    frailty = generator.standard_normal(_CALIBRATION_PATIENTS)
    present = np.zeros((_CALIBRATION_PATIENTS, len(tables.diseases)))
    solved = np.zeros(len(tables.diseases))
    for place, disease in enumerate(tables.diseases):
        score = _log_odds(tables, place, age, frailty, present)
        free = 1.0 - present[:, list(disease.excludes)].max(axis=1) if disease.excludes else np.ones(len(age))
        low, high = -15.0, 8.0
        for _ in range(45):
            middle = (low + high) / 2
            if float((sigmoid(score + middle) * free).mean()) < disease.prevalence:
                low = middle
            else:
                high = middle
        solved[place] = (low + high) / 2
        present[:, place] = (generator.random(len(age)) < sigmoid(score + solved[place]) * free).astype(np.float64)
    return solved


def draw_conditions(
    tables: Tables, age: float, lasting: FloatArray, generator: np.random.Generator
) -> tuple[list[int], FloatArray]:
    """Draw the phenotypes of one admission and their severities.

    Args:
        tables: the simulator's tables.
        age: years at admission.
        lasting: one uniform number per disease, the patient's own, shape ``(diseases,)``: it makes chronic phenotypes
            persist from admission to admission.
        generator: of this admission.

    Returns:
        Places of the phenotypes, and a latent severity for each (about standard normal), same length.
    """
    base = intercepts()
    acuity = float(generator.standard_normal())
    fresh = generator.random(len(tables.diseases))
    own = generator.standard_normal(len(tables.diseases))
    present = np.zeros(len(tables.diseases), dtype=bool)
    for place, disease in enumerate(tables.diseases):
        if any(present[other] for other in disease.excludes):
            continue
        score = float(base[place]) + math.log(disease.age) * (age - AGE_MEAN) / 10
        if not disease.chronic:
            score += FRAILTY * acuity
        for other, ratio in disease.odds.items():
            if present[other]:
                score += math.log(ratio)
        uniform = lasting[place] if disease.chronic else fresh[place]
        present[place] = uniform < probability(score)
    places = [int(place) for place in np.flatnonzero(present)]
    severity = 0.6 * acuity + 0.8 * own[places]
    return places, severity

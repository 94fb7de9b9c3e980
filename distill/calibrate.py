"""Probabilities and thresholds from scores, by the development split alone.

Platt scaling (Platt 1999) of every label, with the slope held near that of all labels where a label is rare; thresholds
for F1, held near what the calibrated probabilities promise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ehr.errors import InputError
from ehr.files import JsonValue

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_LEAST_SLOPE = 1e-2
_PRIOR_POSITIVES = 10.0
_GRID = np.linspace(0.02, 0.9, 89)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Monotone maps from scores to probabilities, and a threshold a label.

    Attributes:
        centre, spread: standardisation of the scores, shape ``(k,)``.
        slope, intercept: of the logistic map, shape ``(k,)``; slopes are positive, so rankings stay.
        thresholds: on probabilities, shape ``(k,)``; at or above is named.
    """

    centre: Floats
    spread: Floats
    slope: Floats
    intercept: Floats
    thresholds: Floats

    def probabilities(self, scores: Floats) -> Floats:
        """Give calibrated probabilities, shape ``(n, k)``."""
        return _sigmoid((scores - self.centre) / self.spread * self.slope + self.intercept)

    def as_dict(self) -> dict[str, JsonValue]:
        """Give the numbers for JSON."""
        return {name: [float(x) for x in getattr(self, name)] for name in self.__slots__}

    @classmethod
    def from_dict(cls, values: dict[str, JsonValue]) -> Calibration:
        """Read what `as_dict` gave.

        Raises:
            InputError: where a list is missing or holds no numbers.
        """
        try:
            arrays = {name: np.asarray(values[name], dtype=np.float64) for name in cls.__slots__}
        except (KeyError, TypeError, ValueError) as error:
            raise InputError("no calibration", where="calibration.json", remedy="train again") from error
        return cls(**arrays)


def _sigmoid(x: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-np.clip(x, -40, 40)))


def _logistic(z: Floats, y: Floats, slope: float, precision: float) -> tuple[float, float]:
    """Fit slope (prior: normal around ``slope``) and intercept (prior: weak, around the base rate) by Newton steps."""
    base = (y.sum() + 0.5) / (len(y) + 1.0)
    middle = np.log(base / (1 - base))
    a, b = slope, middle
    for _ in range(60):
        p = _sigmoid(a * z + b)
        gradient = np.array([((p - y) * z).sum() + precision * (a - slope), (p - y).sum() + 0.1 * (b - middle)])
        w = p * (1 - p)
        cross = (w * z).sum()
        hessian = np.array([[(w * z * z).sum() + precision, cross], [cross, w.sum() + 0.1]])
        step = np.linalg.solve(hessian, gradient)
        step *= min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        a, b = a - float(step[0]), b - float(step[1])
        if np.abs(step).max() < 1e-8:
            break
    return max(a, _LEAST_SLOPE), b


def _threshold(p: Floats, y: Floats) -> float:
    """Choose a threshold by F1: as counted, and (the fewer positives, the more) as the probabilities promise."""
    named = p[None, :] >= _GRID[:, None]
    sizes = named.sum(1)
    counted = 2 * (named * y).sum(1) / np.maximum(sizes + y.sum(), 1e-9)
    promised = 2 * (named * p).sum(1) / np.maximum(sizes + p.sum(), 1e-9)
    trust = y.sum() / (y.sum() + _PRIOR_POSITIVES)
    return float(_GRID[int(np.argmax(trust * counted + (1 - trust) * promised))])


def fit_calibration(scores: Floats, truth: Bools) -> Calibration:
    """Fit on the development split.

    Args:
        scores: any real scores, higher for more likely, shape ``(n, k)``.
        truth: shape ``(n, k)``.

    Raises:
        ValueError: where shapes differ, nothing is given, or a score is not finite.
    """
    if scores.shape != truth.shape or scores.ndim != 2 or not len(scores):
        raise ValueError(f"scores {scores.shape} and truth {truth.shape} must be equal, two-dimensional, not empty")
    if not np.isfinite(scores).all():
        raise ValueError("a score is not finite")
    scores, y = scores.astype(np.float64), truth.astype(np.float64)
    centre, spread = scores.mean(0), np.maximum(scores.std(0), 1e-6)
    z = (scores - centre) / spread
    labels = range(scores.shape[1])
    known = [k for k in labels if 0 < y[:, k].sum() < len(y)]
    first = [_logistic(z[:, k], y[:, k], 1.0, 0.5)[0] for k in known]
    common = float(np.median(first)) if first else 1.0
    fits = [_logistic(z[:, k], y[:, k], common, 4.0) for k in labels]
    slope, intercept = np.array([a for a, _ in fits]), np.array([b for _, b in fits])
    p = _sigmoid(z * slope + intercept)
    thresholds = np.array([_threshold(p[:, k], y[:, k]) for k in labels])
    return Calibration(centre, spread, slope, intercept, thresholds)

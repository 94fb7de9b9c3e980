"""Multi-label metrics with bootstrap intervals by patient, all resamples at once.

A bootstrap sample of patients is a vector of counts; every admission weighs as often as its patient was drawn. All
metrics are therefore weighted metrics, computed for all samples in one pass of numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

METRICS = (
    "macro_auroc",
    "macro_auprc",
    "macro_f1",
    "macro_precision",
    "macro_recall",
    "micro_auroc",
    "micro_auprc",
    "micro_f1",
    "micro_precision",
    "micro_recall",
)


@dataclass(frozen=True, slots=True)
class Interval:
    """A metric's value with its 95 % percentile bootstrap interval."""

    value: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float | None]:
        """Give the three numbers for JSON, rounded to six digits; undefined ones (NaN) as None."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        return {name: None if np.isnan(number) else round(float(number), 6) for name, number in numbers.items()}


_CELLS = 2_000_000
"""Bootstrap samples are taken in blocks of about this many numbers, so that memory stays flat."""


def patient_weights(patients: Sequence[str], samples: int, seed: int) -> Floats:
    """Draw bootstrap samples of patients.

    Args:
        patients: the patient of each admission, length ``n``.
        samples: number of bootstrap samples ``b``.
        seed: equal seeds, equal samples.

    Returns:
        Weights of shape ``(1 + b, n)``; row 0 is all ones, the data themselves.
    """
    _, index = np.unique(np.asarray(patients), return_inverse=True)
    count = int(index.max()) + 1 if len(index) else 0
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / max(count, 1)), size=samples)
    return np.vstack([np.ones((1, len(index))), draws[:, index].astype(np.float64)])


def _tie_groups(scores: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Sort descending; give the order and where each run of equal scores starts."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    return order, starts


def auroc_auprc(truth: Bools, scores: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Weighted area under the ROC curve and average precision, ties handled, for every weight row.

    Args:
        truth: shape ``(n,)``.
        scores: shape ``(n,)``.
        weights: shape ``(b, n)``.

    Returns:
        Two arrays of shape ``(b,)``; NaN where a sample holds one class only.
    """
    order, starts = _tie_groups(scores)
    rows = max(1, _CELLS // max(1, len(truth)))
    parts = [
        _areas(truth[order], weights[start : start + rows][:, order], starts) for start in range(0, len(weights), rows)
    ]
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def _areas(truth: Bools, weights: Floats, starts: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Areas for a block of weight rows; ``truth`` and columns of ``weights`` in descending order of score."""
    positive = np.add.reduceat(weights * truth, starts, axis=1)
    negative = np.add.reduceat(weights * ~truth, starts, axis=1)
    true_positive, false_positive = np.cumsum(positive, axis=1), np.cumsum(negative, axis=1)
    all_positive, all_negative = true_positive[:, -1], false_positive[:, -1]
    with np.errstate(invalid="ignore", divide="ignore"):
        beaten = all_negative[:, None] - false_positive + 0.5 * negative
        auroc = (positive * beaten).sum(axis=1) / (all_positive * all_negative)
        seen = true_positive + false_positive
        precision = np.divide(true_positive, seen, out=np.zeros_like(seen), where=seen > 0)
        auprc = (positive * precision).sum(axis=1) / all_positive
    auroc[(all_positive == 0) | (all_negative == 0)] = np.nan
    auprc[all_positive == 0] = np.nan
    return auroc, auprc


def _precision_recall_f1(true: Floats, predicted: Floats, actual: Floats) -> tuple[Floats, Floats, Floats]:
    """From weighted counts; an empty prediction has precision 0, a class without positives is NaN."""
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(predicted > 0, true / predicted, 0.0)
        recall = true / actual
        f1 = 2 * true / (predicted + actual)
    for values in (precision, recall, f1):
        values[actual == 0] = np.nan
    return precision, recall, f1


def _nanmean(values: Floats) -> Floats:
    """Mean over labels (axis 0) of those that are defined, NaN where none is."""
    defined = ~np.isnan(values)
    total = np.where(defined, values, 0.0).sum(axis=0)
    count = defined.sum(axis=0)
    mean: Floats = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean


def _interval(samples: Floats) -> Interval:
    """Row 0 is the value; the others give the 2.5 and 97.5 percentiles."""
    resampled = samples[1:][~np.isnan(samples[1:])]
    if len(resampled) == 0:
        return Interval(float(samples[0]), float("nan"), float("nan"))
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Interval(float(samples[0]), float(low), float(high))


def _all_samples(
    truth: Bools, probabilities: Floats, predicted: Bools, weights: Floats
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Every metric for every weight row: overall ``(b,)`` and by label ``(labels, b)``."""
    ranked = [auroc_auprc(truth[:, k], probabilities[:, k], weights) for k in range(truth.shape[1])]
    auroc, auprc = np.stack([r[0] for r in ranked]), np.stack([r[1] for r in ranked])
    hits, named, actual = (weights @ m.astype(np.float64) for m in (truth & predicted, predicted, truth))
    precision, recall, f1 = (x.T for x in _precision_recall_f1(hits, named, actual))
    micro = _precision_recall_f1(hits.sum(axis=1), named.sum(axis=1), actual.sum(axis=1))
    flat = np.repeat(weights, truth.shape[1], axis=1)
    micro_auroc, micro_auprc = auroc_auprc(truth.ravel(), probabilities.ravel(), flat)
    overall = {
        "macro_auroc": _nanmean(auroc),
        "macro_auprc": _nanmean(auprc),
        "macro_precision": _nanmean(precision),
        "macro_recall": _nanmean(recall),
        "macro_f1": _nanmean(f1),
        "micro_auroc": micro_auroc,
        "micro_auprc": micro_auprc,
        "micro_precision": micro[0],
        "micro_recall": micro[1],
        "micro_f1": micro[2],
    }
    return overall, {"auroc": auroc, "auprc": auprc, "f1": f1}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Metrics of one arm on one split, with the samples that paired differences need."""

    overall: dict[str, Interval]
    labels: dict[str, dict[str, Interval]]
    samples: dict[str, Floats]
    prevalence: dict[str, int]


def evaluate_arm(
    labels: Sequence[str],
    truth: Bools,
    probabilities: Floats,
    predicted: Bools,
    patients: Sequence[str],
    *,
    samples: int = 1000,
    seed: int = 0,
) -> Evaluation:
    """Compute all metrics of one arm with 95 % bootstrap intervals by patient.

    Args:
        labels: phenotype ids, length ``k``.
        truth: which labels hold, shape ``(n, k)``.
        probabilities: shape ``(n, k)``; any monotone score gives the same areas.
        predicted: which labels the arm names, shape ``(n, k)``.
        patients: patient of each admission, length ``n``.
        samples: bootstrap samples.
        seed: of the bootstrap; the same seed pairs the samples of two arms on the same admissions.

    Raises:
        ValueError: where shapes do not agree or a probability is not a number.
    """
    if truth.shape != probabilities.shape or truth.shape != predicted.shape or truth.shape[0] != len(patients):
        raise ValueError(f"shapes differ: {truth.shape}, {probabilities.shape}, {predicted.shape}, {len(patients)}")
    if np.isnan(probabilities).any():
        raise ValueError("a probability is not a number")
    weights = patient_weights(patients, samples, seed)
    overall, by_label = _all_samples(truth, probabilities.astype(np.float64), predicted, weights)
    return Evaluation(
        overall={name: _interval(overall[name]) for name in METRICS},
        labels={
            label: {name: _interval(values[k]) for name, values in by_label.items()} for k, label in enumerate(labels)
        },
        samples=overall,
        prevalence={label: int(truth[:, k].sum()) for k, label in enumerate(labels)},
    )


def paired_difference(first: Evaluation, second: Evaluation, metric: str) -> Interval:
    """Give ``first - second`` of one metric with its interval, over the same bootstrap samples.

    Raises:
        ValueError: where the two were not computed over the same number of samples.
    """
    one, two = first.samples[metric], second.samples[metric]
    if one.shape != two.shape:
        raise ValueError("the two arms were evaluated with different bootstrap samples")
    return _interval(one - two)

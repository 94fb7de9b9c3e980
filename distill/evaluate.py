"""Evaluation on held-out patients: the model beside its first stage, baselines and graph controls.

Nothing here touches a test split before training has ended: baselines are fitted on ``train``, calibrated on ``dev``,
and every arm goes through the same calibration and the same bootstrap samples (paired differences).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from distill.calibrate import Calibration, fit_calibration
from distill.metrics import Evaluation, evaluate_arm, paired_difference
from ehr.cohort import Cohort

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

TEST_SPLITS = ("test", "test_words", "test_links")
FULL = "full"
COMPARED = ("macro_auroc", "macro_auprc", "micro_f1")


@dataclass(frozen=True, slots=True)
class Arm:
    """What one arm says of every evaluated split.

    Attributes:
        name: short name, key of the tables.
        note: one line that says what it is and what it was given.
        probabilities: by split, shape ``(n, k)``.
        predicted: by split, shape ``(n, k)``.
        steps: optimiser steps, where there are any.
        evaluation_only: True for controls that were never trained as such.
    """

    name: str
    note: str
    probabilities: Mapping[str, Floats]
    predicted: Mapping[str, Bools]
    steps: int | None = None
    evaluation_only: bool = False
    extra: Mapping[str, float] = field(default_factory=dict)


def truth_of(cohort: Cohort, ids: Sequence[str], labels: Sequence[str]) -> Bools:
    """Labels of admissions as a matrix of shape ``(len(ids), len(labels))``."""
    frame = cohort.table("admissions")
    known = dict(zip(frame["admission_id"].to_list(), frame["labels"].to_list(), strict=True))
    return np.array([[label in set(known[admission]) for label in labels] for admission in ids], dtype=bool).reshape(
        len(ids), len(labels)
    )


def patients_of(cohort: Cohort, ids: Sequence[str]) -> list[str]:
    """Patient of each admission, in the order of ``ids``."""
    frame = cohort.table("admissions")
    known = dict(zip(frame["admission_id"].to_list(), frame["patient_id"].to_list(), strict=True))
    return [known[admission] for admission in ids]


def calibrated_arm(
    name: str,
    note: str,
    dev_scores: Floats,
    dev_truth: Bools,
    scores: Mapping[str, Floats],
    *,
    steps: int | None = None,
    evaluation_only: bool = False,
) -> Arm:
    """Make an arm from raw scores; probabilities and thresholds come from the development split alone."""
    calibration: Calibration = fit_calibration(dev_scores, dev_truth)
    probabilities = {split: calibration.probabilities(values) for split, values in scores.items()}
    return Arm(
        name,
        note,
        probabilities,
        {split: values >= calibration.thresholds for split, values in probabilities.items()},
        steps,
        evaluation_only,
    )


@dataclass(frozen=True, slots=True)
class Table:
    """Arms by splits with intervals, and what each arm lacks to the full model."""

    labels: tuple[str, ...]
    arms: tuple[Arm, ...]
    sizes: Mapping[str, tuple[int, int]]
    results: Mapping[tuple[str, str], Evaluation]

    def metrics(self, meta: Mapping[str, object]) -> dict[str, object]:
        """Give everything as JSON; nothing in it depends on the clock."""
        arms: dict[str, object] = {}
        for arm in self.arms:
            splits: dict[str, object] = {}
            for split, (admissions, patients) in self.sizes.items():
                if (arm.name, split) not in self.results:
                    continue
                result = self.results[arm.name, split]
                splits[split] = {
                    "n_admissions": admissions,
                    "n_patients": patients,
                    "metrics": {name: interval.as_dict() for name, interval in result.overall.items()},
                    "labels": {
                        label: {name: interval.as_dict() for name, interval in values.items()}
                        | {"positives": result.prevalence[label]}
                        for label, values in result.labels.items()
                    },
                    "full_minus_this": self._differences(arm.name, split),
                }
            arms[arm.name] = {
                "note": arm.note,
                "steps": arm.steps,
                "evaluation_only": arm.evaluation_only,
                "extra": dict(arm.extra),
                "splits": splits,
            }
        return {"arms": arms, "labels": list(self.labels), "meta": dict(meta)}

    def _differences(self, name: str, split: str) -> dict[str, object]:
        if name == FULL or (FULL, split) not in self.results:
            return {}
        full, other = self.results[FULL, split], self.results[name, split]
        return {metric: paired_difference(full, other, metric).as_dict() for metric in COMPARED}

    def rows(self) -> list[dict[str, object]]:
        """Give the short table that the command prints: one row an arm and split; all metrics stand in `metrics`."""
        rows: list[dict[str, object]] = []
        for split in self.sizes:
            for arm in self.arms:
                if (arm.name, split) in self.results:
                    overall = self.results[arm.name, split].overall
                    row: dict[str, object] = {"split": split, "arm": arm.name, "steps": arm.steps}
                    for metric in COMPARED:
                        interval = overall[metric]
                        row[metric.replace("_", " ")] = (
                            f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
                        )
                    rows.append(row)
        return rows


def compare(
    cohort: Cohort,
    labels: Sequence[str],
    arms: Sequence[Arm],
    ids: Mapping[str, Sequence[str]],
    *,
    samples: int = 1000,
    seed: int = 0,
    advance: Callable[[], None] | None = None,
) -> Table:
    """Evaluate arms on splits with the same bootstrap samples for every arm.

    Args:
        cohort: gives truth and patients.
        labels: phenotype ids in the order of the arms' columns.
        arms: what is compared; the one called ``full`` is what differences are taken from.
        ids: admissions of each split, in the order of the arms' rows.
        samples: bootstrap samples.
        seed: of the bootstrap.
        advance: called after each arm and split.
    """
    results: dict[tuple[str, str], Evaluation] = {}
    sizes: dict[str, tuple[int, int]] = {}
    for split, admissions in ids.items():
        truth, patients = truth_of(cohort, admissions, labels), patients_of(cohort, admissions)
        sizes[split] = (len(admissions), len(set(patients)))
        for arm in arms:
            if split in arm.probabilities:
                results[arm.name, split] = evaluate_arm(
                    labels, truth, arm.probabilities[split], arm.predicted[split], patients, samples=samples, seed=seed
                )
                if advance:
                    advance()
    return Table(tuple(labels), tuple(arms), sizes, results)

"""Metrics against scikit-learn, and the bootstrap against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score, roc_auc_score

from distill.metrics import auroc_auprc, evaluate_arm, paired_difference, patient_weights


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 40), st.integers(0, 10_000), st.integers(1, 6))
def test_areas_agree_with_scikit_learn_under_ties_and_weights(n: int, seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.4
    truth[0], truth[1] = True, False
    scores = rng.integers(0, levels, n) / levels
    weights = rng.integers(1, 4, (3, n)).astype(float)
    auroc, auprc = auroc_auprc(truth, scores, weights)
    for row in range(3):
        assert auroc[row] == pytest.approx(roc_auc_score(truth, scores, sample_weight=weights[row]))
        assert auprc[row] == pytest.approx(average_precision_score(truth, scores, sample_weight=weights[row]))


def test_point_values_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    truth = rng.random((200, 5)) < 0.3
    probabilities = np.clip(truth * 0.3 + rng.random((200, 5)) * 0.7, 0, 1)
    predicted = probabilities > 0.5
    patients = [str(i // 2) for i in range(200)]
    result = evaluate_arm(list("abcde"), truth, probabilities, predicted, patients, samples=200)
    for average in ("macro", "micro"):
        for name, function in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
            assert result.overall[f"{average}_{name}"].value == pytest.approx(
                function(truth, predicted, average=average, zero_division=0)
            )
        assert result.overall[f"{average}_auroc"].value == pytest.approx(
            roc_auc_score(truth, probabilities, average=average)
        )
        assert result.overall[f"{average}_auprc"].value == pytest.approx(
            average_precision_score(truth, probabilities, average=average)
        )
    for interval in result.overall.values():
        assert interval.low < interval.value < interval.high


def test_patients_are_drawn_whole() -> None:
    weights = patient_weights(["a", "a", "b", "c", "c", "c"], samples=50, seed=1)
    assert (weights[0] == 1).all()
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 3] == weights[:, 4]).all() and (weights[:, 4] == weights[:, 5]).all()
    assert (weights[1:, 0] + weights[1:, 2] + weights[1:, 3] == 3).all()


def test_more_patients_narrow_the_interval() -> None:
    rng = np.random.default_rng(0)

    def width(n: int) -> float:
        truth = rng.random((n, 3)) < 0.5
        probabilities = np.clip(truth * 0.2 + rng.random((n, 3)), 0, 1)
        result = evaluate_arm(list("abc"), truth, probabilities, probabilities > 0.5, [str(i) for i in range(n)])
        return result.overall["macro_auroc"].high - result.overall["macro_auroc"].low

    assert width(2000) < width(50) / 2


def test_a_label_without_positives_is_left_out_of_macro_means() -> None:
    truth = np.array([[1, 0], [0, 0], [1, 0], [0, 0]], dtype=bool)
    probabilities = np.array([[0.9, 0.3], [0.1, 0.2], [0.8, 0.9], [0.3, 0.1]])
    result = evaluate_arm(["x", "y"], truth, probabilities, probabilities > 0.5, list("abcd"), samples=20)
    assert result.overall["macro_auroc"].value == 1.0
    assert result.labels["y"]["auroc"].as_dict()["value"] is None
    assert result.prevalence == {"x": 2, "y": 0}


def test_paired_difference_of_an_arm_with_itself_is_zero() -> None:
    rng = np.random.default_rng(5)
    truth = rng.random((60, 2)) < 0.5
    probabilities = rng.random((60, 2))
    patients = [str(i) for i in range(60)]
    arm = evaluate_arm(["x", "y"], truth, probabilities, probabilities > 0.5, patients, samples=100)
    difference = paired_difference(arm, arm, "macro_auroc")
    assert (difference.value, difference.low, difference.high) == (0.0, 0.0, 0.0)
    fewer = evaluate_arm(["x", "y"], truth, probabilities, probabilities > 0.5, patients, samples=50)
    with pytest.raises(ValueError, match="different bootstrap samples"):
        paired_difference(arm, fewer, "macro_auroc")


def test_shapes_that_differ_and_missing_probabilities_are_refused() -> None:
    truth = np.zeros((3, 2), dtype=bool)
    with pytest.raises(ValueError, match="shapes differ"):
        evaluate_arm(["x", "y"], truth, np.zeros((2, 2)), truth, list("abc"))
    with pytest.raises(ValueError, match="not a number"):
        evaluate_arm(["x", "y"], truth, np.full((3, 2), np.nan), truth, list("abc"))

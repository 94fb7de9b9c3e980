import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.calibrate import Calibration, fit_calibration
from ehr.errors import InputError


def sample(n: int, seed: int = 0, *, scale: float = 3.0):
    rng = np.random.default_rng(seed)
    logit = rng.normal(-1, 1.5, (n, 4))
    return scale * logit + 2, rng.uniform(size=logit.shape) < 1 / (1 + np.exp(-logit))


def test_probabilities_meet_frequencies_on_new_data():
    calibration = fit_calibration(*sample(2000))
    scores, truth = sample(4000, 1)
    p = calibration.probabilities(scores)
    for low in (0.0, 0.2, 0.4, 0.6):
        inside = (p >= low) & (p < low + 0.2)
        assert abs(p[inside].mean() - truth[inside].mean()) < 0.05


def test_thresholds_are_nearly_the_best_for_f1():
    calibration = fit_calibration(*sample(2000))
    scores, truth = sample(4000, 1)
    p = calibration.probabilities(scores)

    def f1(named, y):
        return 2 * (named & y).sum() / (named.sum() + y.sum())

    for k in range(4):
        best = max(f1(p[:, k] >= t, truth[:, k]) for t in np.linspace(0.02, 0.9, 89))
        assert f1(p[:, k] >= calibration.thresholds[k], truth[:, k]) > best - 0.03


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 40), st.integers(0, 10**6), st.floats(0, 1))
def test_rankings_stay_and_values_are_probabilities(n, seed, rate):
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 10.0 ** rng.integers(-3, 4), (n, 3))
    calibration = fit_calibration(scores, rng.uniform(size=scores.shape) < rate)
    p = calibration.probabilities(scores)
    assert np.isfinite(p).all()
    assert ((p >= 0) & (p <= 1)).all()
    for k in range(3):
        order = np.argsort(scores[:, k], kind="stable")
        assert (np.diff(p[order, k]) >= 0).all()


def test_a_label_never_seen_gets_a_low_probability():
    scores, truth = sample(300)
    truth[:, 2] = False
    p = fit_calibration(scores, truth).probabilities(scores)
    assert p[:, 2].max() < 0.05


def test_scores_the_wrong_way_round_are_not_turned():
    scores, truth = sample(500)
    assert (fit_calibration(-scores, truth).slope > 0).all()


def test_it_is_read_back_as_it_was():
    calibration = fit_calibration(*sample(100))
    again = Calibration.from_dict(calibration.as_dict())
    for name in Calibration.__slots__:
        assert np.array_equal(getattr(again, name), getattr(calibration, name))
    with pytest.raises(InputError, match="calibration"):
        Calibration.from_dict({"slope": ["x"]})


@pytest.mark.parametrize("scores", [np.zeros((0, 2)), np.zeros((3, 1)), np.array([[np.nan, 0.0]] * 2)])
def test_bad_scores_are_refused(scores):
    with pytest.raises(ValueError, match=r"scores|finite"):
        fit_calibration(scores, np.zeros((len(scores), 2), dtype=bool))

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.grid import Scale, fit_scales, hourly_grid, observed_patches
from ehr.types import TimeSeries
from tests.distill.tiny_cohort import tiny_config

SCALES = {"A": Scale(0.0, 1.0, False), "B": Scale(0.0, 1.0, False)}


def series(code: str, hours: list[float], values: list[float]) -> TimeSeries:
    return TimeSeries(code, np.asarray(hours, dtype=float), np.asarray(values, dtype=float), "1")


def test_missing_stays_missing():
    """No value, no flag, no token: nothing normal is made up, and a constant normal value is something else."""
    config = tiny_config(window_hours=24, patch_hours=6)
    empty = observed_patches([], SCALES, config)
    assert empty.vectors.shape == (0, 18)
    one = observed_patches([series("A", [7.2], [0.0])], SCALES, config)
    assert one.variable.tolist() == [0]
    assert one.position.tolist() == [1]
    assert one.vectors[0, 6:12].tolist() == [0, 1, 0, 0, 0, 0]


def test_grid_keeps_hours_and_variables_apart():
    value, observed, since = hourly_grid([series("B", [0.5, 3.2, 3.8], [1.0, 2.0, 4.0])], SCALES, 0, 6)
    assert not observed[0].any()
    assert observed[1].tolist() == [True, False, False, True, False, False]
    assert value[1].tolist() == [1.0, 0, 0, 3.0, 0, 0]
    assert since[1, 0] == since[1, 3] == 0
    assert 0 < since[1, 1] < since[1, 2]
    assert since[1, 4] == since[1, 1]


def test_values_outside_the_window_and_unknown_codes_are_left_out():
    rows = [series("A", [-3.0, 50.0], [1.0, 1.0]), series("Z", [1.0], [1.0]), series("B", [1.0], [float("nan")])]
    assert not hourly_grid(rows, SCALES, 0, 24)[1].any()
    assert hourly_grid(rows, SCALES, -4, 24)[1][0].nonzero()[0].tolist() == [1]


def test_the_latest_of_every_variable_are_kept():
    config = tiny_config(window_hours=24, patch_hours=6, max_patches=3)
    rows = [series("A", [1, 7, 13, 19], [1, 1, 1, 1]), series("B", [2], [1])]
    kept = observed_patches(rows, SCALES, config)
    assert sorted(zip(kept.variable.tolist(), kept.position.tolist(), strict=True)) == [(0, 2), (0, 3), (1, 0)]


def test_normalisation_is_robust_and_knows_skew():
    rng = np.random.default_rng(0)
    even, skewed = rng.normal(140, 4, 500), np.exp(rng.normal(0, 1.5, 500))
    scales = fit_scales(
        [[series("A", [0] * 500, even.tolist()), series("B", [0] * 500, skewed.tolist())]], ["A", "B", "C"]
    )
    assert not scales["A"].log
    assert scales["B"].log
    assert scales["C"] == Scale(0.0, 1.0, False)
    for code, values in (("A", even), ("B", skewed)):
        normal = scales[code].apply(values)
        assert abs(np.median(normal)) < 0.1
        assert 0.8 < normal.std() < 1.2
    assert scales["A"].apply(np.array([1e9]))[0] == 5
    assert np.isfinite(scales["B"].apply(np.array([0.0, -1.0]))).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 23.99), st.floats(-3, 3)), max_size=30))
def test_every_measurement_is_found_in_its_patch(points):
    config = tiny_config(window_hours=24, patch_hours=4)
    patches = observed_patches([series("A", [h for h, _ in points], [v for _, v in points])], SCALES, config)
    cells = {int(h) for h, _ in points}
    seen = {
        4 * int(p) + hour
        for p, vector in zip(patches.position, patches.vectors, strict=True)
        for hour in range(4)
        if vector[4 + hour] > 0
    }
    assert seen == cells

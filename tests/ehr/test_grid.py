import numpy as np

from ehr.grid import at_event_times, hourly
from ehr.types import TimeSeries


def series(code: str, *pairs: tuple[float, float]) -> TimeSeries:
    return TimeSeries(code, np.array([t for t, _ in pairs]), np.array([v for _, v in pairs]), "1")


PULSE = series("LOINC:8867-4", (-1.5, 70), (0.2, 80), (0.8, 90), (3.0, 100), (9.0, 1))
LAB = series("LOINC:2160-0", (1.0, 2.0), (2.0, np.nan))
CODES = ("LOINC:2160-0", "LOINC:8867-4", "LOINC:718-7")


def test_hourly() -> None:
    grid = hourly([PULSE, LAB], CODES, 0, 4)
    assert grid.values.tolist() == [[0, 2, 0, 0], [85, 0, 0, 100], [0, 0, 0, 0]]
    assert grid.observed.tolist() == [[False, True, False, False], [True, False, False, True], [False] * 4]
    assert grid.since.tolist() == [[1, 0, 1, 2], [0, 1, 2, 0], [1, 2, 3, 4]]
    assert grid.times.tolist() == [0, 1, 2, 3]


def test_at_event_times() -> None:
    grid = at_event_times([PULSE, LAB], CODES, -2, 6)
    assert grid.times.tolist() == [-1.5, 0.2, 0.8, 1.0, 3.0]
    assert grid.values[1].tolist() == [70, 80, 90, 0, 100] and grid.values[0].tolist() == [0, 0, 0, 2, 0]
    assert grid.observed.sum() == 5
    assert np.allclose(grid.since[1], [0, 0, 0, 0.2, 0])
    assert np.allclose(grid.since[0], [1.5, 3.2, 3.8, 0, 2.0])


def test_nothing_at_all() -> None:
    assert at_event_times([], CODES, 0, 6).values.shape == (3, 0)
    assert hourly([], CODES, 0, 6).observed.any() == np.False_


def test_transformed_before_the_mean() -> None:
    grid = hourly([PULSE], CODES, 0, 1, lambda code, values: values**2)
    assert grid.values[1].tolist() == [(80**2 + 90**2) / 2]

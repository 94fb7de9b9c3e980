"""Series as arrays: on an hourly grid, or at the times at which something was measured.

Either way a value's absence is kept: ``observed`` says where one was measured, ``since`` for how long none has been
(the decay input of Che et al. 2018, "Recurrent Neural Networks for Multivariate Time Series with Missing Values").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ehr.types import TimeSeries

Floats = NDArray[np.float64]
Transform = Callable[[str, Floats], Floats]


@dataclass(frozen=True, slots=True)
class Grid:
    """Series of one admission, one row a variable and one column a time.

    Attributes:
        times: hours from admission, shape ``(times,)``; on an hourly grid the beginnings of the hours.
        values: shape ``(variables, times)``; 0 where nothing was observed.
        observed: flags, shape ``(variables, times)``.
        since: hours since the variable's last value, 0 where there is one; before the first they count from one hour
            before ``start``. Shape ``(variables, times)``.
    """

    times: Floats
    values: Floats
    observed: NDArray[np.bool_]
    since: Floats


def hourly(
    series: Sequence[TimeSeries], codes: Sequence[str], start: int, hours: int, transform: Transform | None = None
) -> Grid:
    """Put series on an hourly grid; several values within an hour are averaged.

    Args:
        series: of one admission.
        codes: the variables, in the order of the rows; other series are passed over.
        start: first hour, from admission; may be negative.
        hours: number of columns.
        transform: applied to a variable's values before they are averaged.
    """
    total, count = np.zeros((len(codes), hours)), np.zeros((len(codes), hours))
    for row, times, values in _variables(series, codes, transform):
        cell = np.floor(times - start)
        kept = (cell >= 0) & (cell < hours)
        index = cell[kept].astype(np.int64)
        np.add.at(total[row], index, values[kept])
        np.add.at(count[row], index, 1.0)
    clock = np.arange(hours, dtype=np.float64)
    return _with_since(clock, clock + start, total / np.maximum(count, 1.0), count > 0)


def at_event_times(
    series: Sequence[TimeSeries],
    codes: Sequence[str],
    start: float,
    hours: float,
    transform: Transform | None = None,
) -> Grid:
    """Give series at every time at which one of them has a value, from ``start`` on and before ``start + hours``.

    Args: as for `hourly`; the number of columns is the number of different times.
    """
    found = [
        (row, times[kept], values[kept])
        for row, times, values in _variables(series, codes, transform)
        for kept in [(times >= start) & (times < start + hours)]
    ]
    moments = np.unique(np.concatenate([np.empty(0), *(times for _, times, _ in found)]))
    total, count = np.zeros((len(codes), len(moments))), np.zeros((len(codes), len(moments)))
    for row, times, values in found:
        index = np.searchsorted(moments, times)
        np.add.at(total[row], index, values)
        np.add.at(count[row], index, 1.0)
    return _with_since(moments - start, moments, total / np.maximum(count, 1.0), count > 0)


def _variables(
    series: Sequence[TimeSeries], codes: Sequence[str], transform: Transform | None
) -> list[tuple[int, Floats, Floats]]:
    place = {code: row for row, code in enumerate(codes)}
    found = []
    for one in series:
        if one.code in place:
            finite = np.isfinite(one.values)
            values = one.values[finite]
            found.append((place[one.code], one.hours[finite], transform(one.code, values) if transform else values))
    return found


def _with_since(clock: Floats, times: Floats, values: Floats, observed: NDArray[np.bool_]) -> Grid:
    last = np.where(observed, clock, -1.0)
    last = np.maximum.accumulate(last, axis=1) if clock.size else last
    return Grid(times, values, observed, np.where(observed, 0.0, clock - last))

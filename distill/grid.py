"""Labs and vitals on an hourly grid, normalised by training patients alone, cut into observed patches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from distill.config import RunConfig
from ehr.grid import hourly
from ehr.types import TimeSeries
from encoder.timeseries import cut_patches

Floats = NDArray[np.float64]
CLIP = 5.0
"""Normalised values beyond this many spreads are cut: charting errors, not physiology."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How one variable is normalised: ``(f(value) - centre) / spread``, f the logarithm where ``log``."""

    centre: float
    spread: float
    log: bool

    def apply(self, values: Floats) -> Floats:
        """Normalise; where ``log``, values at or below zero become the smallest positive ones."""
        if self.log:
            values = np.log(np.maximum(values, 1e-3))
        return np.clip((values - self.centre) / self.spread, -CLIP, CLIP)


def fit_scales(series: Iterable[Sequence[TimeSeries]], codes: Sequence[str]) -> dict[str, Scale]:
    """Learn centre (median) and spread (of the middle 80 %) of each variable.

    Args:
        series: series of the training admissions alone.
        codes: variables; one that never occurs gets centre 0 and spread 1.
    """
    values: dict[str, list[Floats]] = {code: [] for code in codes}
    for admission in series:
        for one in admission:
            if one.code in values:
                values[one.code].append(one.values)
    scales = {}
    for code in codes:
        found = np.concatenate(values[code]) if values[code] else np.zeros(0)
        found = found[np.isfinite(found)]
        if not len(found):
            scales[code] = Scale(0.0, 1.0, False)
            continue
        low, middle, high = np.quantile(found, (0.1, 0.5, 0.9))
        log = bool(low > 0 and high - middle > 2 * (middle - low))
        if log:
            low, middle, high = np.log((low, middle, high))
        scales[code] = Scale(float(middle), float(max((high - low) / 2.563, 1e-3)), log)
    return scales


@dataclass(frozen=True, slots=True)
class Patches:
    """Observed patches of one admission.

    Shapes:
        vectors ``(n, 3 * patch_hours)``, variable and position ``(n,)``.
    """

    vectors: NDArray[np.float32]
    variable: NDArray[np.int64]
    position: NDArray[np.int64]


def hourly_grid(
    series: Sequence[TimeSeries], scales: Mapping[str, Scale], start: int, hours: int
) -> tuple[Floats, NDArray[np.bool_], Floats]:
    """Put series on an hourly grid.

    Several values within an hour are averaged. Hours before the first value since ``start`` count from ``start``.

    Returns:
        Normalised values (0 where none), observed flags, and hours since last (``log1p(h) / log1p(hours)``), each
        ``(variables, hours)`` in the order of ``scales``.
    """
    grid = hourly(series, list(scales), start, hours, lambda code, values: scales[code].apply(values))
    return grid.values, grid.observed, np.log1p(grid.since) / np.log1p(hours)


def observed_patches(series: Sequence[TimeSeries], scales: Mapping[str, Scale], config: RunConfig) -> Patches:
    """Give the patches that hold a measurement, by variable and time; at most ``config.max_patches``.

    Where there are more, the latest of every variable are kept before any variable's second latest, and so on.
    """
    grid = hourly_grid(series, scales, config.window_start, config.window_hours)
    value, observed, since = (torch.from_numpy(array) for array in grid)
    vectors = cut_patches(value, observed, since, config.patch_hours)
    filled = observed.view(len(scales), config.patches, config.patch_hours).any(-1).numpy()
    variable, position = np.nonzero(filled)
    if len(variable) > config.max_patches:
        recency = filled[:, ::-1].cumsum(1)[:, ::-1][variable, position]
        kept = np.sort(np.lexsort((variable, recency))[: config.max_patches])
        variable, position = variable[kept], position[kept]
    chosen = vectors[torch.from_numpy(variable), torch.from_numpy(position)]
    return Patches(chosen.numpy().astype(np.float32), variable.astype(np.int64), position.astype(np.int64))

"""Personalised PageRank from single concepts, kept for the patients that follow, and added up for patients."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from kg.retrieve.core import Core
from kg.retrieve.pagerank import neighbours_together, walks_from
from kg.retrieve.roster import Roster
from kg.retrieve.snapshot import ranges

DAMPING = 0.5
"""Of the random walk: a patient's neighbourhood, not the whole ontology."""
_ITERATIONS = 24
_FAINT = 1e-7
_KEPT_RANKS = 256
_AT_ONCE = 24
"""Concepts walked from together; each takes two columns as long as the walked part."""
_CACHED = 8_000


class Walks:
    """Walks from concepts; PageRank is linear in its seeds, so each concept is walked from once and walks add up.

    Of each walk the concepts visited most are kept, at most 256.
    """

    def __init__(self, core: Core, tie: NDArray[np.int64]) -> None:
        """Begin without any walk.

        Args:
            core: the walked part of the graph, ``n`` concepts.
            tie: orders concepts that are visited equally, shape ``(n,)``.
        """
        self._tie = tie
        live = np.flatnonzero(~core.dangling)
        self._matrix, order = neighbours_together(core.transposed[live][:, live])
        self._live = live[order]
        self._at = np.full(len(core.ids), -1, dtype=np.int64)
        self._at[self._live] = np.arange(len(live))
        self._row: dict[int, int] = {}
        self._held: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []
        self._pointers = np.zeros(1, dtype=np.int64)
        self._numbers = np.zeros(0, dtype=np.int32)
        self._values = np.zeros(0)
        self._stored = (0, 0)

    def prepare(self, places: Iterable[int]) -> None:
        """Walk from each of these concepts that was not walked from yet."""
        wanted = set(places)
        missing = sorted(wanted - self._row.keys())
        if len(self._row) + len(missing) > _CACHED:
            self._row.clear()
            self._held.clear()
            self._stored = (0, 0)
            missing = sorted(wanted)
        for begin in range(0, len(missing), _AT_ONCE):
            batch = missing[begin : begin + _AT_ONCE]
            inside = self._at[batch]
            walked = inside >= 0
            ranks = walks_from(self._matrix, inside[walked], damping=DAMPING, iterations=_ITERATIONS).T.copy()
            columns = iter(ranks)
            for place, good in zip(batch, walked.tolist(), strict=True):
                self._row[place] = len(self._held)
                if good:
                    self._held.append(self._most(next(columns)))
                else:  # no relation leads away: the walk stays
                    self._held.append((np.array([place]), np.ones(1)))

    def _most(self, column: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        near = np.flatnonzero(column > 0.99 * _FAINT)
        values = np.round(column[near], 10)
        if len(values) > _KEPT_RANKS:  # sort no more than can be kept
            least = max(_FAINT, float(np.partition(values, -_KEPT_RANKS)[-_KEPT_RANKS]))
            near, values = near[values >= least], values[values >= least]
        near, values = near[values > _FAINT], values[values > _FAINT]
        near = self._live[near]
        order = np.lexsort((self._tie[near], -values))[:_KEPT_RANKS]
        return near[order], values[order]

    def enrol(self, roster: Roster) -> None:
        """Give a number to every concept that any walk visits."""
        for places, _ in self._held:
            roster.add(places)

    def _store(self, roster: Roster) -> None:
        """Lay the walks out as CSR over the roster's numbers; what has none is of no use to the patients at hand."""
        if self._stored == (len(roster), len(self._held)):
            return
        places = np.concatenate([np.zeros(0, dtype=np.int64), *(places for places, _ in self._held)])
        values = np.concatenate([np.zeros(0), *(values for _, values in self._held)])
        rows = np.repeat(np.arange(len(self._held)), [len(places) for places, _ in self._held])
        numbers = roster.at[places]
        good = numbers >= 0
        counts = np.bincount(rows[good], minlength=len(self._held))
        self._pointers = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self._numbers, self._values = numbers[good], values[good]
        self._stored = (len(roster), len(self._held))

    def added(
        self,
        count: int,
        patients: NDArray[np.int64],
        places: Iterable[int],
        shares: NDArray[np.float64],
        roster: Roster,
    ) -> NDArray[np.float64]:
        """Add up walks for patients.

        Args:
            count: the number of patients.
            patients: the patient of each seed, ascending, shape ``(s,)``.
            places: the concept of each seed; `prepare` walked from it.
            shares: of each seed among its patient's, shape ``(s,)``.
            roster: which concepts are asked for, ``u``.

        Returns:
            Visits, not rounded, shape ``(count, u)``.
        """
        self._store(roster)
        rows = np.array([self._row[place] for place in places], dtype=np.int64)
        entries = ranges(self._pointers, rows)
        lengths = self._pointers[rows + 1] - self._pointers[rows]
        at = self._numbers[entries] + np.repeat(patients * len(roster), lengths)
        values = self._values[entries] * np.repeat(shares, lengths)
        # Adds in the order of the seeds, whatever else is in the batch.
        visits: NDArray[np.float64] = np.bincount(at, weights=values, minlength=count * len(roster)).astype(
            np.float64, copy=False
        )
        return visits.reshape(count, len(roster))

"""Statements among the concepts in play, as columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kg.retrieve.core import Core
from kg.retrieve.evidence import INDICATES, MEASURES
from kg.retrieve.roster import Growing, Labels, Roster
from kg.retrieve.snapshot import PREDICATES, ranges

Ints = NDArray[np.int64]
DIRECTIONS = ("high", "low")
_SHIFT = 1 << 20
"""More than parallel statements of two concepts."""


class Ties:
    """The statements of which both ends were chosen for some patient; each concept's are read from the graph once."""

    def __init__(self, core: Core, roster: Roster, labels: Labels) -> None:
        """Begin without any.

        Args:
            core: the walked part of the graph.
            roster: has a number for whatever is loaded.
            labels: numbers of statements.
        """
        self._core, self._roster, self._texts = core, roster, labels
        self._candidates = np.array([core.place[candidate] for candidate in core.candidates], dtype=np.int64)
        self._loaded = np.zeros(len(core.ids), dtype=np.bool_)
        self._edges = Growing(np.int64)
        self._source, self._target = Growing(np.int64), Growing(np.int64)
        self._measure = Growing(np.int64)
        self._predicate, self._weight = Growing(np.int8), Growing(np.float64)
        self._label = Growing(np.int64)
        self._pointers, self._rows = np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int64)
        self._turn = np.zeros(0, dtype=np.int64)
        at = np.full(len(PREDICATES), -1)
        for predicate, direction in MEASURES.items():
            at[PREDICATES.index(predicate)] = DIRECTIONS.index(direction)
        self._says_target = at
        at = np.full(len(PREDICATES), -1)
        for predicate, direction in INDICATES.items():
            at[PREDICATES.index(predicate)] = DIRECTIONS.index(direction)
        self._says_source = at

    def __len__(self) -> int:
        """Give how many statements are held."""
        return len(self._edges)

    @property
    def predicates(self) -> NDArray[np.int8]:
        """Index into `PREDICATES` of each statement."""
        return self._predicate.values

    @property
    def weights(self) -> NDArray[np.float64]:
        """Weight of each statement."""
        return self._weight.values

    @property
    def labels(self) -> Ints:
        """Number of each statement among the labels."""
        return self._label.values

    def load(self, places: Ints) -> None:
        """Read what is stated of these concepts and those that were loaded before."""
        new = np.unique(places[~self._loaded[places]])
        if not len(new):
            return
        graph, at = self._core.graph, self._core.graph_places
        known = np.flatnonzero(at >= 0)  # ascending in both numberings, as both are in the order of ids
        theirs = at[known]
        self._loaded[new] = True
        rows = at[new][at[new] >= 0]
        out, into = graph.out_edges(rows), graph.in_edges(rows)
        for edges, ends, fresh in ((out, graph.targets[out], True), (into, graph.subjects(into), False)):
            found = np.minimum(np.searchsorted(theirs, ends), max(len(theirs) - 1, 0))
            hit = theirs[found] == ends if len(theirs) else np.zeros(len(ends), dtype=np.bool_)
            other = known[found[hit]]
            good = self._loaded[other]
            if not fresh:  # statements between two new concepts came with their subjects
                good &= ~np.isin(other, new)
            self._append(edges[hit][good])
        self._arrange()

    def _append(self, edges: Ints) -> None:
        graph, at = self._core.graph, self._core.graph_places
        known = np.flatnonzero(at >= 0)
        source = known[np.searchsorted(at[known], graph.subjects(edges))]
        target = known[np.searchsorted(at[known], graph.targets[edges])]
        kinds = graph.predicates[edges]
        measure = np.where(
            self._says_target[kinds] >= 0,
            target * len(DIRECTIONS) + self._says_target[kinds],
            np.where(self._says_source[kinds] >= 0, source * len(DIRECTIONS) + self._says_source[kinds], -1),
        )
        first = np.isin(source, self._candidates) & np.isin(target, self._candidates)
        measure[first] = -1  # between candidates everything stays
        self._label.extend([self._texts.number(name.decode()) for name in graph.statements[edges].tolist()])
        self._edges.extend(edges)
        self._source.extend(source)
        self._target.extend(target)
        self._predicate.extend(kinds)
        self._weight.extend(graph.weights[edges])
        self._measure.extend(measure)

    def _arrange(self) -> None:
        """Lay statements out by the end that fewer subgraphs have: candidates are in all and have most statements."""
        source, target = self._source.values, self._target.values
        of_source, of_target = np.isin(source, self._candidates), np.isin(target, self._candidates)
        owner = np.where(of_source & ~of_target, target, source)
        owners = self._roster.at[owner]
        self._rows = np.lexsort((self._edges.values, owners))
        counts = np.bincount(owners, minlength=len(self._roster))
        self._pointers = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        names = np.array([self._texts.texts[label] for label in self._label.values.tolist()], dtype=np.str_)
        by_name = np.lexsort((self._edges.values, names, target, source))
        pairs = source[by_name] * len(self._core.ids) + target[by_name]
        begins = np.flatnonzero(np.concatenate([[True], pairs[1:] != pairs[:-1]])) if len(pairs) else by_name
        turn = np.empty_like(by_name)
        turn[by_name] = np.arange(len(pairs)) - np.repeat(begins, np.diff(np.append(begins, len(pairs))))
        self._turn = turn

    def measure_keys(self, patients: Ints, measures: Ints) -> Ints:
        """Give one number for each patient and measure (``place * 2 + direction``)."""
        return patients * (len(DIRECTIONS) * len(self._core.ids)) + measures

    def among(
        self,
        patients: Ints,
        numbers: NDArray[np.int32],
        table: NDArray[np.int32],
        measured: Ints,
        on_path: tuple[Ints, Ints],
    ) -> tuple[Ints, Ints, Ints, Ints]:
        """Give all statements among the chosen concepts of each patient.

        A statement about a high (low) value stays only where this patient's value was high (low), or where a path
        rests on it: the other direction would speak of something that was not measured.

        Args:
            patients: of each chosen concept, ascending.
            numbers: in the roster, of each chosen concept.
            table: index of each concept among a patient's chosen, -1 where it is not, shape ``(patients, roster)``.
            measured: from `measure_keys`, of the series in the directions in which they were abnormal.
            on_path: patient and label of the statements of paths, at least of those about a high or low value.

        Returns:
            Patient, source and target (indices among the chosen), and number of the statement; in the order of
            patient, source, target and id.
        """
        pointers = self._pointers
        if len(pointers) <= len(self._roster):  # numbered since: nothing is held of them
            pointers = np.append(pointers, np.full(len(self._roster) + 1 - len(pointers), pointers[-1]))
        rows = self._rows[ranges(pointers, numbers.astype(np.int64))]
        who = np.repeat(patients, pointers[numbers + 1] - pointers[numbers])
        source = table[who, self._roster.at[self._source.values[rows]]]
        target = table[who, self._roster.at[self._target.values[rows]]]
        good = (source >= 0) & (target >= 0)
        series = self._measure.values[rows]
        doubtful = np.flatnonzero(good & (series >= 0))
        doubtful = doubtful[~np.isin(self.measure_keys(who[doubtful], series[doubtful]), measured)]
        width = len(self._texts.texts)
        rests = np.isin(who[doubtful] * width + self.labels[rows[doubtful]], on_path[0] * width + on_path[1])
        good[doubtful[~rests]] = False
        who, rows, source, target = who[good], rows[good], source[good].astype(np.int64), target[good].astype(np.int64)
        wide = int(table.max(initial=0)) + 1
        order = np.argsort(((who * wide + source) * wide + target) * _SHIFT + self._turn[rows], kind="stable")
        return who[order], source[order], target[order], rows[order]

"""Makes the subgraphs of several patients together, and keeps what the next patients need as well."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from kg.retrieve.choose import Voice, choose_seeds, choose_typed, most_visited_first
from kg.retrieve.columns import Columns, Library
from kg.retrieve.core import Core
from kg.retrieve.evidence import EvidenceIndex
from kg.retrieve.methods import Steiner, k_hop, most_visited
from kg.retrieve.path_store import META_PATHS, PathStore
from kg.retrieve.path_table import Paths, all_paths, best_paths, candidates_of, evidence_of
from kg.retrieve.paths import rounded
from kg.retrieve.roster import Labels, Roster
from kg.retrieve.seeds import Item, Items, gathered, in_mode, measured_directions, start_of
from kg.retrieve.ties import DIRECTIONS, Ties
from kg.retrieve.walks import Walks
from kg.types import Finding

Ints = NDArray[np.int64]
_ON_MEASURED = [META_PATHS.index("measurement"), META_PATHS.index("underlying")]
"""The meta-paths on which statements about high or low values lie."""


class Workshop:
    """What retrieval keeps: walks, paths of seeds, statements among concepts; none of it is a patient's."""

    def __init__(self, core: Core, index: EvidenceIndex, tie: Ints, method: str, nodes: int) -> None:
        """Begin with nothing kept.

        Args:
            core: the walked part of the graph, ``n`` concepts.
            index: of its statements.
            tie: orders concepts of equal score, shape ``(n,)``.
            method: one of `kg.retrieve.methods.METHODS`.
            nodes: the most concepts of a subgraph.
        """
        self.core, self.method, self.nodes = core, method, nodes
        self._index, self._tie = index, tie
        self._candidates = [core.place[candidate] for candidate in core.candidates]
        stated = np.array(sorted(core.place[concept] for concept in index.stated), dtype=np.int64)
        # Stated concepts come first, in the order of ties: a stable sort by visits is then all that filling up needs.
        self._roster = Roster(len(core.ids), stated[np.argsort(tie[stated])])
        self._stated = self._roster.places.tolist()
        self._roster.add(self._candidates)
        self._walks = Walks(core, tie)
        labels = Labels()
        self._store = PathStore(index, core.ids, core.place, core.candidates, labels)
        self._ties = Ties(core, self._roster, labels)
        self.library = Library(core, self._store, self._ties, labels)
        self._steiner = Steiner(core) if method == "steiner" else None
        self._voices: dict[tuple[str, Items], Voice] = {}
        self._enrolled = 0

    def __len__(self) -> int:
        """Give how many different seeds were met."""
        return len(self._voices)

    def columns(self, patients: Sequence[tuple[str, Sequence[Finding], str]]) -> Columns:
        """Make subgraphs of (admission, findings, mode)."""
        count = len(patients)
        voices, measured = self._listen(patients)
        who = np.repeat(np.arange(count), [len(told) for told in voices])
        entries = np.array([voice.entry for told in voices for voice in told], dtype=np.int64)
        paths = all_paths(self._store, count, who, entries)
        path_nodes = self._store.flat_nodes.values.values
        self._roster.add(path_nodes[self._enrolled :])
        self._enrolled = len(path_nodes)
        seeds = [choose_seeds(told, self.nodes) for told in voices]
        chosen, visits = self._chosen(voices, seeds, paths)
        nodes = np.array([place for places in chosen for place in places], dtype=np.int64)
        node_ends = _ends([len(places) for places in chosen])
        patient = np.repeat(np.arange(count), np.diff(node_ends))
        numbers = self._roster.at[nodes]
        local = np.arange(len(nodes)) - node_ends[patient]
        table = np.full((count, len(self._roster)), -1, dtype=np.int32)
        table[patient, numbers] = local
        kept = best_paths(paths.take(self._inside(paths, table)), self._store)
        resting = kept.take(np.isin(kept.meta, _ON_MEASURED))
        told_in = self._store.flat_statements
        on_path = np.repeat(resting.patient, told_in.lengths(resting.template)), told_in.of(resting.template)
        self._ties.load(nodes)
        edge_patient, source, target, tie = self._ties.among(patient, numbers, table, measured, on_path)
        inside = [set(places) for places in chosen]
        told = [[v.number for v in some if v.place in places] for some, places in zip(seeds, inside, strict=True)]
        return Columns(
            patients=[(admission, mode) for admission, _, mode in patients],
            node_ends=node_ends,
            nodes=nodes,
            scores=self._scores(patient, local, np.round(visits[patient, numbers], 9), node_ends, kept),
            seed_ends=_ends([len(some) for some in told]),
            seeds=np.array([number for some in told for number in some], dtype=np.int64),
            edge_ends=np.searchsorted(edge_patient, np.arange(count + 1)),
            source=source,
            target=target,
            tie=tie,
            path_ends=np.searchsorted(kept.patient, np.arange(count + 1)),
            paths=kept,
        )

    def _listen(self, patients: Sequence[tuple[str, Sequence[Finding], str]]) -> tuple[list[list[Voice]], Ints]:
        """Give the seeds of each patient, the heaviest first, and the measures of all (see `Ties.measure_keys`)."""
        voices: list[list[Voice]] = []
        who: list[int] = []
        measures: list[int] = []
        before: Sequence[Finding] | None = None
        groups: dict[str, list[Item]] = {}
        held, place = self._voices, self.core.place
        for patient, (_, findings, mode) in enumerate(patients):
            if findings is not before:  # both modes of an admission come one after the other
                groups, before = gathered(findings, self.core), findings
            told = [held.get(group) or self._met(group) for group in in_mode(groups, mode)]
            told.sort(key=_order)
            voices.append(told)
            for code, directions in measured_directions(findings, mode).items():
                if code in place:
                    known = [place[code] * len(DIRECTIONS) + DIRECTIONS.index(d) for d in directions if d in DIRECTIONS]
                    measures.extend(known)
                    who.extend([patient] * len(known))
        keys = self._ties.measure_keys(np.array(who, dtype=np.int64), np.array(measures, dtype=np.int64))
        return voices, keys

    def _met(self, group: tuple[str, Items]) -> Voice:
        """Meet findings of a concept that no patient had alike."""
        start = start_of(*group, self.core)
        seed, place = start.seed, self.core.place[start.seed.concept]
        entry = self._store.entry(start)
        denied = None
        if seed.state == "denied":
            denied = (not self._index.templates(seed.concept), -float(self.core.information[place]), seed.concept)
        number = len(self.library.seeds)
        self.library.seeds.append(seed)
        self._roster.add([place])
        voice = Voice(start, place, number, entry, self._store.says[entry], denied, start.order)
        self._voices[group] = voice
        return voice

    def _visits(self, voices: Sequence[Sequence[Voice]]) -> NDArray[np.float64]:
        """Add up the walks from all seeds, by weight; shape ``(patients, roster)``, not rounded."""
        who, places, shares = [], [], []
        for patient, told in enumerate(voices):
            sources = [(v.place, v.start.seed.weight) for v in told if v.start.seed.weight > 0]
            total = sum(weight for _, weight in sources)
            who.extend([patient] * len(sources))
            places.extend([place for place, _ in sources])
            shares.extend([weight / total for _, weight in sources])
        self._walks.prepare(places)
        if self.method == "ppr-only":
            self._walks.enrol(self._roster)
        return self._walks.added(
            len(voices), np.array(who, dtype=np.int64), places, np.array(shares, dtype=np.float64), self._roster
        )

    def _chosen(
        self, voices: Sequence[Sequence[Voice]], seeds: Sequence[Sequence[Voice]], paths: Paths
    ) -> tuple[list[list[int]], NDArray[np.float64]]:
        """Give each patient's nodes, candidates first, and how often the walk visits every concept of the roster."""
        count = len(voices)
        if self.method == "typed":
            visits = self._visits(voices)
            first = most_visited_first(np.round(visits[:, : len(self._stated)], 9), self._stated)
            # Of shorter ones seed and candidate are in.
            long = paths.take(self._store.flat_nodes.lengths(paths.template) > 2)
            ends = np.searchsorted(long.patient, np.arange(count + 1)).tolist()
            ways = [self._store.nodes[template] for template in long.template.tolist()]
            chosen = [
                choose_typed(
                    self._candidates, seeds[at], ways[ends[at] : ends[at + 1]], more, self.core.categories, self.nodes
                )
                for at, more in enumerate(first)
            ]
            return chosen, visits
        if self.method == "ppr-only":
            visits = self._visits(voices)
            walk = np.zeros(len(self.core.ids))
            chosen = []
            for row in np.round(visits, 9):
                walk[self._roster.places] = row
                chosen.append(self._filled([], most_visited(walk, self._tie, self.nodes)))
            return chosen, visits
        ends = np.searchsorted(paths.patient, np.arange(count + 1)).tolist()
        reach = candidates_of(paths, self._store).tolist()
        chosen = []
        for at, some in enumerate(seeds):
            reached = {self._candidates[one] for one in set(reach[ends[at] : ends[at + 1]])}
            chosen.append(self._joined([voice for voice in some if voice.start.seed.weight > 0], reached))
        self._roster.add([place for places in chosen for place in places])
        return chosen, self._visits(voices)

    def _joined(self, live: Sequence[Voice], reached: set[int]) -> list[int]:
        """Choose nodes by k-hop or by a Steiner tree; ``reached`` are the candidates that a path reaches."""
        if self._steiner is None:
            return self._filled([], k_hop(self.core, [voice.start.seed for voice in live], self.nodes))
        ends = list(dict.fromkeys(voice.place for voice in live))
        chosen = dict.fromkeys([*self._candidates, *ends[: self.nodes - len(self._candidates)]])
        joined = [node for node in chosen if node in ends or node in reached]
        return self._filled(chosen, self._steiner.tree(joined, self.nodes - len(chosen)))

    def _filled(self, chosen: Iterable[int], more: Iterable[int]) -> list[int]:
        found = dict.fromkeys([*self._candidates, *chosen])
        for node in more:
            if len(found) < self.nodes:
                found.setdefault(node)
        return list(found)

    def _inside(self, paths: Paths, table: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Say of which paths all concepts were chosen."""
        flat = self._store.flat_nodes
        lengths = flat.lengths(paths.template)
        out = table[np.repeat(paths.patient, lengths), self._roster.at[flat.of(paths.template)]] < 0
        found: NDArray[np.bool_] = (
            np.bincount(np.repeat(np.arange(len(paths)), lengths)[out], minlength=len(paths)) == 0
        )
        return found

    def _scores(
        self, patient: Ints, local: Ints, visits: NDArray[np.float64], ends: Ints, kept: Paths
    ) -> NDArray[np.float64]:
        """Score nodes in [0, 1]: candidates by their evidence, others by the walk, relative to its highest."""
        first = local < len(self._candidates)
        others = np.where(first, 0.0, visits)
        top = np.maximum.reduceat(others, ends[:-1])[patient] if len(others) else others
        scores = rounded(np.divide(others, top, out=np.zeros_like(others), where=top > 0))
        evidence = evidence_of(kept, self._store, len(ends) - 1)
        scores[first] = evidence[patient[first], local[first]]
        return scores


def _order(voice: Voice) -> tuple[float, str]:
    return voice.order


def _ends(lengths: Sequence[int]) -> Ints:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)

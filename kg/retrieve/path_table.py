"""Typed paths of many patients as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kg.retrieve.evidence import UNDERLYING, EvidenceIndex, Template
from kg.retrieve.paths import rounded, spoken
from kg.retrieve.roster import Growing
from kg.retrieve.seeds import Start
from kg.retrieve.snapshot import ranges
from kg.types import EvidencePath

META_PATHS = (
    "complication",
    "general",
    "measurement",
    "named",
    "phenotype",
    "risk",
    "specific",
    "treatment",
    "underlying",
)
"""In the order of their names."""
_UNDERLYING = len(META_PATHS) - 1
MAX_PATHS = 24
"""Paths kept for each candidate."""
_EACH = 2
"""Paths kept for each seed and candidate."""
_HELD = 20_000
"""Paths as objects that are kept for the next patient."""
_STRONG_SEEDS = 2
_STRONG_SHARE = 0.5

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Paths:
    """Paths of patients, each column of shape ``(p,)``.

    Attributes:
        patient: number of the patient, ascending.
        candidate: index into the candidates.
        seed: place of the seed's concept.
        meta: index into `META_PATHS`.
        template: number in the `PathTable`.
        score: as `EvidencePath.score`.
    """

    patient: Ints
    candidate: Ints
    seed: Ints
    meta: Ints
    template: Ints
    score: NDArray[np.float64]

    def __len__(self) -> int:
        """Give the number of paths."""
        return len(self.patient)

    def take(self, chosen: NDArray[np.bool_] | Ints) -> Paths:
        """Give some of the paths."""
        return Paths(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def and_then(self, other: Paths) -> Paths:
        """Give these paths and others behind them."""
        return Paths(*(np.concatenate([getattr(p, field.name) for p in (self, other)]) for field in fields(self)))


class PathTable:
    """What seeds say, once for all patients that share concept, state, weight and directions."""

    def __init__(
        self, index: EvidenceIndex, ids: Sequence[str], place: Mapping[str, int], candidates: Sequence[str]
    ) -> None:
        """Begin empty.

        Args:
            index: of the graph.
            ids: concepts, sorted.
            place: index of each.
            candidates: sorted.
        """
        self.index = index
        self.candidates = tuple(candidates)
        self._ids, self._place = ids, place
        self._number = {candidate: number for number, candidate in enumerate(self.candidates)}
        self._entries: dict[tuple[str, str, float, frozenset[str]], int] = {}
        self.says: list[float] = []
        """The best score of each entry's paths; -1 where it has none."""
        self._seed, self._pointers, self._best_pointers = Growing(np.int64), Growing(np.int64), Growing(np.int64)
        self._pointers.extend([0])
        self._best_pointers.extend([0])
        self._candidate, self._meta, self._template = Growing(np.int64), Growing(np.int64), Growing(np.int64)
        self._score, self._best = Growing(np.float64), Growing(np.float64)
        self._best_candidate = Growing(np.int64)
        self.nodes: list[tuple[int, ...]] = []
        """Places of the concepts of each template, seed first."""
        self.statements: list[tuple[str, ...]] = []
        self._templates: dict[Template, int] = {}
        self._extended: dict[int, int] = {}
        self._objects: dict[tuple[int, float], EvidencePath] = {}
        self._flat: tuple[Ints, Ints] = (np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int64))

    def __len__(self) -> int:
        """Give how many different seeds were met."""
        return len(self.says)

    def entry(self, start: Start) -> int:
        """Give the number under which a seed's paths are held."""
        seed = start.seed
        key = (seed.concept, seed.state, seed.weight, start.directions)
        held = self._entries.get(key)
        if held is not None:
            return held
        found = spoken(start, self.index)
        best: dict[int, float] = {}
        for template, score in found:
            candidate = self._number[template.candidate]
            best[candidate] = max(score, best.get(candidate, 0.0))
        self._candidate.extend([self._number[template.candidate] for template, _ in found])
        self._meta.extend([META_PATHS.index(template.meta_path) for template, _ in found])
        self._template.extend([self._known(template) for template, _ in found])
        self._score.extend([score for _, score in found])
        self._pointers.extend([len(self._score)])
        self._best_candidate.extend(list(best))
        self._best.extend(list(best.values()))
        self._best_pointers.extend([len(self._best)])
        self._seed.extend([self._place[seed.concept]])
        self._entries[key] = len(self.says)
        self.says.append(max(best.values(), default=-1.0))
        return len(self.says) - 1

    def _known(self, template: Template) -> int:
        held = self._templates.get(template)
        if held is None:
            held = self._templates[template] = len(self.nodes)
            self.nodes.append(tuple(self._place[node] for node in template.nodes))
            self.statements.append(template.statements)
        return held

    @cached_property
    def _links(self) -> tuple[Ints, list[tuple[int, float, str]]]:
        """Complications of each candidate that are candidates, as CSR."""
        rows = [self.index.complications.get(candidate, []) for candidate in self.candidates]
        links = [(self._number[link.other], link.weight, link.statement) for row in rows for link in row]
        return np.cumsum([0, *(len(row) for row in rows)], dtype=np.int64), links

    def paths(self, count: int, patients: Ints, entries: Ints) -> Paths:
        """Give all typed paths of patients, each patient's best first.

        Args:
            count: the number of patients.
            patients: the patient of each seed, ascending, shape ``(s,)``.
            entries: from `entry`, shape ``(s,)``; a patient's in one order for all (sums depend on it).
        """
        pointers = self._pointers.values
        rows, lengths = ranges(pointers, entries), pointers[entries + 1] - pointers[entries]
        direct = Paths(
            np.repeat(patients, lengths),
            self._candidate.values[rows],
            np.repeat(self._seed.values[entries], lengths),
            self._meta.values[rows],
            self._template.values[rows],
            self._score.values[rows],
        )
        direct = self._sorted(direct)
        return self._sorted(direct.and_then(self._underlying(direct, *self._strong(count, patients, entries))))

    def _sorted(self, paths: Paths) -> Paths:
        names = (paths.candidate * len(self._ids) + paths.seed) * len(META_PATHS) + paths.meta
        return paths.take(np.lexsort((names, -paths.score, paths.patient)))

    def _strong(self, count: int, patients: Ints, entries: Ints) -> tuple[Ints, Ints]:
        """Give the strongly supported candidates of each patient: patient and candidate."""
        pointers, width = self._best_pointers.values, len(self.candidates)
        rows, lengths = ranges(pointers, entries), pointers[entries + 1] - pointers[entries]
        at = np.repeat(patients, lengths) * width + self._best_candidate.values[rows]
        totals = np.bincount(at, weights=self._best.values[rows], minlength=count * width).reshape(count, width)
        seeds = np.bincount(at, minlength=count * width).reshape(count, width)
        enough = _STRONG_SHARE * totals.max(axis=1, initial=0.0)
        who, which = np.nonzero((seeds >= _STRONG_SEEDS) & (totals >= enough[:, None]))
        return who.astype(np.int64), which.astype(np.int64)

    def _underlying(self, direct: Paths, patients: Ints, causes: Ints) -> Paths:
        """Extend the best path of each strongly supported candidate to its complications."""
        begins, links = self._links
        width = len(self.candidates)
        first = np.full(int(patients.max(initial=-1) + 1) * width, -1, dtype=np.int64)
        at = direct.patient * width + direct.candidate
        known = at < len(first)
        first[at[known][::-1]] = np.flatnonzero(known)[::-1]  # of several the last is written, here the first path
        rows, lengths = ranges(begins, causes), begins[causes + 1] - begins[causes]
        base = np.repeat(first[patients * width + causes], lengths)
        template = self._longer(direct.template[base] * max(len(links), 1) + rows)
        other = np.array([link[0] for link in links], dtype=np.int64)
        weight = np.array([link[1] for link in links], dtype=np.float64)
        made = Paths(
            np.repeat(patients, lengths),
            other[rows],
            direct.seed[base],
            np.full(len(rows), _UNDERLYING, dtype=np.int64),
            template,
            rounded(direct.score[base] * UNDERLYING * weight[rows]),
        )
        return made.take(template >= 0)

    def _longer(self, keys: Ints) -> Ints:
        """Give the templates extended by a link (``template * links + link``), -1 where that would be a ring."""
        links = self._links[1]
        unique, back = np.unique(keys, return_inverse=True)
        found = []
        for key in unique.tolist():
            held = self._extended.get(key)
            if held is None:
                template, link = divmod(key, len(links))
                other, _, statement = links[link]
                held, node = -1, self._place[self.candidates[other]]
                if node not in self.nodes[template]:
                    held = len(self.nodes)
                    self.nodes.append((*self.nodes[template], node))
                    self.statements.append((*self.statements[template], statement))
                self._extended[key] = held
            found.append(held)
        return np.array(found, dtype=np.int64)[back]

    def flat_nodes(self) -> tuple[Ints, Ints]:
        """Give the concepts of all templates as CSR: pointers, places."""
        pointers, places = self._flat
        if len(pointers) <= len(self.nodes):
            new = self.nodes[len(pointers) - 1 :]
            ends = pointers[-1] + np.cumsum([len(nodes) for nodes in new], dtype=np.int64)
            more = np.array([place for nodes in new for place in nodes], dtype=np.int64)
            self._flat = np.concatenate([pointers, ends]), np.concatenate([places, more])
        return self._flat

    def best(self, paths: Paths) -> Paths:
        """Keep the first two of each seed and candidate, and the first 24 of each candidate; the order stays."""
        pairs = (paths.patient * len(self.candidates) + paths.candidate) * len(self._ids) + paths.seed
        kept = paths.take(_turn(pairs) < _EACH)
        return kept.take(_turn(kept.patient * len(self.candidates) + kept.candidate) < MAX_PATHS)

    def evidence(self, count: int, paths: Paths) -> NDArray[np.float64]:
        """Give each candidate's evidence ``s`` as a node score in [0, 1): ``s / (1 + s)``; shape ``(count, c)``."""
        width = len(self.candidates)
        first = paths.take(
            _turn((paths.patient * width + paths.candidate) * len(self._ids) + paths.seed) == 0
        )  # a seed counts with its best path
        totals = np.bincount(first.patient * width + first.candidate, weights=first.score, minlength=count * width)
        return rounded(totals / (1 + totals)).reshape(count, width)

    def objects(self, paths: Paths) -> list[EvidencePath]:
        """Give paths as objects; patients share them."""
        held = self._objects
        if len(held) > _HELD:
            held.clear()
        found = []
        for at, key in enumerate(zip(paths.template.tolist(), paths.score.tolist(), strict=True)):
            path = held.get(key)
            if path is None:
                template, score = key
                nodes = tuple([self._ids[place] for place in self.nodes[template]])
                candidate, meta = self.candidates[paths.candidate[at]], META_PATHS[paths.meta[at]]
                path = EvidencePath(candidate, nodes[0], meta, nodes, self.statements[template], score)
                held[key] = path
            found.append(path)
        return found


def _turn(groups: Ints) -> Ints:
    """Say of each entry how many of its group come before it."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    begins = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(ordered) else order
    turn = np.empty_like(order)
    turn[order] = np.arange(len(order)) - np.repeat(begins, np.diff(np.append(begins, len(ordered))))
    return turn

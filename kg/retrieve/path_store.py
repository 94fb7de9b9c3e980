"""What seeds say, as columns that all patients share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kg.retrieve.evidence import EvidenceIndex, Template
from kg.retrieve.paths import divisor, usable
from kg.retrieve.roster import Growing, Labels, Ragged
from kg.retrieve.seeds import Start
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
METAS = len(META_PATHS)
_HELD = 20_000
"""Paths as objects that are kept for the next patient."""

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Form:
    """What a seed says whatever its weight."""

    candidates: list[int]
    keys: list[int]
    templates: list[int]
    factors: list[float]
    divisor: float


class PathStore:
    """Paths of seeds, once for all patients that share concept, state, weight and directions.

    A path's key, ``(candidate * n + seed) * metas + meta`` for ``n`` concepts, is in the order of the names.

    Attributes:
        says: the best score of each entry's paths; -1 where it has none.
        rows: of each entry its paths in the columns `key`, `template` and `score`.
        best_rows: of each entry the candidates it speaks for, in the columns `best_candidate` and `best`.
        nodes: places of the concepts of each template, seed first.
        flat_nodes, flat_statements: of each template its places, and its statements as numbers among the labels.
    """

    def __init__(
        self,
        index: EvidenceIndex,
        ids: Sequence[str],
        place: Mapping[str, int],
        candidates: Sequence[str],
        labels: Labels,
    ) -> None:
        """Begin empty.

        Args:
            index: of the graph.
            ids: concepts, sorted.
            place: index of each.
            candidates: sorted.
            labels: numbers of statements.
        """
        self.index, self.ids, self.labels = index, ids, labels
        self.candidates = tuple(candidates)
        self.place = place
        self._number = {candidate: number for number, candidate in enumerate(self.candidates)}
        self._entries: dict[tuple[str, str, float, frozenset[str]], int] = {}
        self._forms: dict[tuple[str, str, frozenset[str]], _Form] = {}
        self._templates: dict[tuple[str, tuple[str, ...], tuple[str, ...]], int] = {}
        self._longer: dict[tuple[int, int], int] = {}
        self._objects: dict[tuple[int, float], EvidencePath] = {}
        self._kinds: list[tuple[int, int]] = []
        self.says: list[float] = []
        self.rows, self.best_rows = Ragged(), Ragged()
        self.key, self.template, self.score = Growing(np.int64), Growing(np.int64), Growing(np.float64)
        self.best_candidate, self.best = Growing(np.int64), Growing(np.float64)
        self.nodes: list[tuple[int, ...]] = []
        self.flat_nodes, self.flat_statements = Ragged(), Ragged()
        rows = [index.complications.get(candidate, []) for candidate in self.candidates]
        self.link_begins: Ints = np.cumsum([0, *(len(row) for row in rows)], dtype=np.int64)
        links = [link for row in rows for link in row]
        self._link_statements = [link.statement for link in links]
        self.link_other = np.array([self._number[link.other] for link in links], dtype=np.int64)
        self.link_weight = np.array([link.weight for link in links], dtype=np.float64)

    def entry(self, start: Start) -> int:
        """Give the number under which a seed's paths are held."""
        seed = start.seed
        key = (seed.concept, seed.state, seed.weight, start.directions)
        held = self._entries.get(key)
        if held is not None:
            return held
        form = self._form(start)
        weight = seed.weight / form.divisor if form.factors else 0.0
        scores = [round(weight * factor, 6) for factor in form.factors]
        best: dict[int, float] = {}
        for candidate, score in zip(form.candidates, scores, strict=True):
            best[candidate] = max(score, best.get(candidate, 0.0))
        self.rows.append(range(len(self.score), len(self.score) + len(scores)))
        self.key.extend(form.keys)
        self.template.extend(form.templates)
        self.score.extend(scores)
        self.best_rows.append(range(len(self.best), len(self.best) + len(best)))
        self.best_candidate.extend(list(best))
        self.best.extend(list(best.values()))
        self._entries[key] = len(self.says)
        self.says.append(max(best.values(), default=-1.0))
        return len(self.says) - 1

    def _form(self, start: Start) -> _Form:
        seed = start.seed
        if seed.weight <= 0:
            return _Form([], [], [], [], 1.0)
        key = (seed.concept, seed.state, start.directions)
        held = self._forms.get(key)
        if held is None:
            found = usable(start, self.index)
            candidates = [self._number[template.candidate] for template, _ in found]
            metas = [META_PATHS.index(template.meta_path) for template, _ in found]
            place, n = self.place[seed.concept], len(self.ids)
            held = self._forms[key] = _Form(
                candidates,
                [(candidate * n + place) * METAS + meta for candidate, meta in zip(candidates, metas, strict=True)],
                [self._known(template) for template, _ in found],
                [factor for _, factor in found],
                divisor(found),
            )
        return held

    def _known(self, template: Template) -> int:
        key = (template.meta_path, template.nodes, template.statements)
        held = self._templates.get(key)
        if held is None:
            nodes = tuple([self.place[node] for node in template.nodes])
            kind = (self._number[template.candidate], META_PATHS.index(template.meta_path))
            held = self._templates[key] = self._new(nodes, template.statements, kind)
        return held

    def _new(self, nodes: tuple[int, ...], statements: Sequence[str], kind: tuple[int, int]) -> int:
        self.nodes.append(nodes)
        self.flat_nodes.append(nodes)
        self.flat_statements.append([self.labels.number(statement) for statement in statements])
        self._kinds.append(kind)
        return len(self.nodes) - 1

    def longer(self, template: int, link: int) -> int:
        """Give a template extended by a candidate's complication; -1 where that would be a ring."""
        held = self._longer.get((template, link))
        if held is None:
            other = int(self.link_other[link])
            node = self.place[self.candidates[other]]
            held = -1
            if node not in self.nodes[template]:
                statements = (*self._told(template), self._link_statements[link])
                held = self._new((*self.nodes[template], node), statements, (other, METAS - 1))
            self._longer[template, link] = held
        return held

    def _told(self, template: int) -> tuple[str, ...]:
        numbers = self.flat_statements.of(np.array([template])).tolist()
        return tuple([self.labels.texts[number] for number in numbers])

    def objects(self, templates: Sequence[int], scores: Sequence[float]) -> list[EvidencePath]:
        """Give paths as objects; patients share them."""
        held = self._objects
        if len(held) > _HELD:
            held.clear()
        found = []
        for key in zip(templates, scores, strict=True):
            path = held.get(key)
            if path is None:
                template, score = key
                nodes = tuple([self.ids[place] for place in self.nodes[template]])
                candidate, meta = self._kinds[template]
                path = EvidencePath(
                    self.candidates[candidate], nodes[0], META_PATHS[meta], nodes, self._told(template), score
                )
                held[key] = path
            found.append(path)
        return found

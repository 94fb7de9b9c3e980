"""From a patient's findings to a small typed subgraph around the 25 candidate diseases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ehr.errors import InputError
from ehr.phenotypes import load_phenotypes
from kg.retrieve.core import make_core
from kg.retrieve.evidence import EvidenceIndex
from kg.retrieve.methods import METHODS, Steiner, k_hop, most_visited
from kg.retrieve.pagerank import personalised_pagerank
from kg.retrieve.paths import best_paths, evidence_paths, evidence_score
from kg.retrieve.seeds import LAB_ORIGINS, MODES, Start, measured_directions, seeds_of
from kg.retrieve.snapshot import Snapshot
from kg.retrieve.snapshot_files import load_snapshot
from kg.types import Edge, EvidencePath, Finding, PatientSubgraph, Seed
from kg.vocabulary import Category

if TYPE_CHECKING:
    from kg.bundle import Bundle

DAMPING = 0.5
"""Of the random walk: a patient's neighbourhood, not the whole ontology."""
_ITERATIONS = 24
_FAINT = 1e-7
_KEPT_RANKS = 256
_AT_ONCE = 32
"""Concepts walked from together; each takes three columns as long as the walked part."""
_CACHED_SEEDS = 8_000
_SHARES = {"live": 0.46, "unexplained": 0.05, "denied": 0.08}
"""Of the nodes, for seeds of each kind; what is left goes to terms on paths and to what likely diseases would show."""
_FILL = {Category.PHENOTYPE: 64, Category.DRUG: 4, Category.PROCEDURE: 3, Category.EXPOSURE: 4}


class Retriever:
    """Retrieves subgraphs from one bundle; its memory does not grow with the number of admissions."""

    def __init__(
        self,
        bundle: Bundle | Snapshot,
        *,
        nodes: int = 64,
        seed: int = 0,
        method: str = "typed",
        rewired_seed: int | None = None,
    ) -> None:
        """Load the bundle's snapshot.

        Args:
            bundle: the graph, or a snapshot of one.
            nodes: the most concepts of a subgraph; every candidate is among them.
            seed: orders concepts of equal score.
            method: how nodes are chosen, one of `kg.retrieve.methods.METHODS`.
            rewired_seed: where given, retrieve from a graph whose statements were rewired with this seed: same
                concepts, same degrees, same predicates, other meaning. A control for evaluation.

        Raises:
            InputError: where ``nodes`` leaves no room beside the candidates, or for an unknown method.
        """
        if method not in METHODS:
            raise InputError(f"unknown method {method!r}", remedy=f"take one of {', '.join(METHODS)}")
        candidates = load_phenotypes().ids
        least = len(candidates) + 8
        if nodes < least:
            raise InputError(f"{nodes} is too few for a subgraph", where="nodes", remedy=f"take {least} or more")
        snapshot = bundle if isinstance(bundle, Snapshot) else load_snapshot(bundle)
        self.core = make_core(snapshot, candidates, rewired_seed=rewired_seed)
        self.method = method
        self._steiner = Steiner(self.core) if method == "steiner" else None
        information = dict(zip(self.core.ids, self.core.information.tolist(), strict=True))
        self.index = EvidenceIndex(self.core.triples, self.core.candidates, information)
        self.nodes = nodes
        self._stated = np.array(sorted(self.core.place[concept] for concept in self.index.stated), dtype=np.int64)
        self._tie = np.random.default_rng(seed).permutation(len(self.core.ids))
        self._ranks: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]] = {}

    def retrieve(self, findings: Sequence[Finding], admission_id: str, mode: str = "all") -> PatientSubgraph:
        """Retrieve one subgraph.

        Args:
            findings: the patient's.
            admission_id: goes into the result.
            mode: ``all``, or ``labs`` to start from labs and vital signs alone.

        Raises:
            InputError: for an unknown mode.
        """
        return self.retrieve_many([(admission_id, findings, mode)])[0]

    def retrieve_many(self, patients: Sequence[tuple[str, Sequence[Finding], str]]) -> list[PatientSubgraph]:
        """Retrieve several (admission, findings, mode) together; the same result as one by one, faster."""
        starts = []
        for _, findings, mode in patients:
            if mode not in MODES:
                raise InputError(f"unknown mode {mode!r}", remedy=f"take one of {', '.join(MODES)}")
            starts.append(seeds_of(findings, mode, self.core))
        self._prepare({s.seed.concept for found in starts for s in found if s.seed.weight > 0})
        return [self._subgraph(a, f, m, s) for (a, f, m), s in zip(patients, starts, strict=True)]

    def _prepare(self, concepts: Iterable[str]) -> None:
        """Walk from each concept not walked from yet; PageRank is linear in its seeds, so once a concept is enough."""
        missing = sorted(set(concepts) - self._ranks.keys())
        if len(self._ranks) + len(missing) > _CACHED_SEEDS:
            self._ranks.clear()
            missing = sorted(concepts)
        for begin in range(0, len(missing), _AT_ONCE):
            batch = missing[begin : begin + _AT_ONCE]
            start = np.zeros((len(self.core.ids), len(batch)))
            for column, concept in enumerate(batch):
                start[self.core.place[concept], column] = 1.0
            ranks = personalised_pagerank(
                self.core.transposed, self.core.dangling, start, damping=DAMPING, iterations=_ITERATIONS
            )
            for column, concept in enumerate(batch):
                values = np.round(ranks[:, column], 10)
                near = np.flatnonzero(values > _FAINT)
                order = near[np.lexsort((self._tie[near], -values[near]))][:_KEPT_RANKS]
                self._ranks[concept] = (order, values[order])

    def _walk(self, starts: Iterable[Start]) -> NDArray[np.float64]:
        """Add up the walks from all seeds, by weight; shape ``(concepts,)``."""
        sources = [start.seed for start in starts if start.seed.weight > 0]
        if not sources:
            return np.zeros(len(self.core.ids))
        total = sum(seed.weight for seed in sources)
        held = [self._ranks[seed.concept] for seed in sources]
        places = np.concatenate([order for order, _ in held])
        values = np.concatenate([v * (s.weight / total) for s, (_, v) in zip(sources, held, strict=True)])
        return np.round(np.bincount(places, weights=values, minlength=len(self.core.ids)), 9)

    def _subgraph(
        self, admission_id: str, findings: Sequence[Finding], mode: str, starts: list[Start]
    ) -> PatientSubgraph:
        walk = self._walk(starts)
        paths = evidence_paths(starts, self.index)
        seeds = self._seeds(starts, paths)
        chosen = self._choose(seeds, paths, walk) if self.method == "typed" else self._untyped(seeds, paths, walk)
        inside = {self.core.ids[place] for place in chosen}
        seeds = [seed for seed in seeds if seed.concept in inside]
        kept = best_paths([path for path in paths if inside.issuperset(path.nodes)])
        counted = [f for f in findings if mode == "all" or f.origin in LAB_ORIGINS]
        edges = self._edges(chosen, measured_directions(counted), kept)
        return PatientSubgraph(
            admission_id=admission_id,
            mode=mode,
            nodes=tuple(self.core.ids[place] for place in chosen),
            categories=tuple(self.core.categories[place] for place in chosen),
            scores=self._scores(chosen, walk, kept),
            seeds=tuple(seeds),
            edges=edges,
            paths=tuple(kept),
        )

    def _seeds(self, starts: list[Start], paths: Iterable[EvidencePath]) -> list[Seed]:
        """Choose seeds: those that say most of a candidate, some that no candidate explains, some that are denied."""
        says: dict[str, float] = {}
        for path in paths:
            says[path.seed] = max(path.score, says.get(path.seed, 0.0))
        live = [start.seed for start in starts if start.seed.state != "denied"]
        linked = sorted((s for s in live if s.concept in says), key=lambda s: (-says[s.concept], s.concept))
        room = int(_SHARES["live"] * self.nodes)
        other = [seed for seed in live if seed.concept not in says]
        spare = max(int(_SHARES["unexplained"] * self.nodes), room - len(linked))
        other = other[:spare]
        chosen = sorted(linked[: room - len(other)] + other, key=lambda seed: (-seed.weight, seed.concept))
        denied = [start.seed for start in starts if start.seed.state == "denied"]
        # Of what is denied, the most specific terms and those nearest to a candidate say most.
        denied.sort(key=lambda s: (not self.index.templates(s.concept), -self._information(s.concept), s.concept))
        return chosen + denied[: int(_SHARES["denied"] * self.nodes)]

    def _information(self, concept: str) -> float:
        return float(self.core.information[self.core.place[concept]])

    def _choose(self, seeds: Iterable[Seed], paths: Iterable[EvidencePath], walk: NDArray[np.float64]) -> list[int]:
        """Choose nodes: candidates, seeds, what lies on the best paths, then what the walk visits most.

        Free places go only to concepts that a statement about a candidate names: what the likely diseases would show.
        """
        place = self.core.place
        chosen = dict.fromkeys(place[candidate] for candidate in self.core.candidates)
        for seed in seeds:
            if len(chosen) < self.nodes:
                chosen.setdefault(place[seed.concept])
        for path in paths:
            if len(path.nodes) > 2:  # seed and candidate are in
                new = [place[node] for node in path.nodes if place[node] not in chosen]
                if len(chosen) + len(new) <= self.nodes:
                    chosen.update(dict.fromkeys(new))
        left = dict(_FILL)
        visited = walk[self._stated]
        for position in np.lexsort((self._tie[self._stated], -visited)).tolist():
            if len(chosen) >= self.nodes or visited[position] == 0:
                break
            node = int(self._stated[position])
            category = self.core.categories[node]
            if node not in chosen and left.get(category, 0) > 0:
                left[category] -= 1
                chosen[node] = None
        return list(chosen)

    def _untyped(self, seeds: Sequence[Seed], paths: Iterable[EvidencePath], walk: NDArray[np.float64]) -> list[int]:
        """Choose nodes by one of the methods that are there for comparison; the candidates are among them."""
        place = self.core.place
        chosen = dict.fromkeys(place[candidate] for candidate in self.core.candidates)
        live = [seed for seed in seeds if seed.weight > 0]
        if self._steiner is not None:
            reached = {place[path.candidate] for path in paths}
            ends = dict.fromkeys([place[seed.concept] for seed in live])
            chosen.update(dict.fromkeys(list(ends)[: self.nodes - len(chosen)]))
            joined = [node for node in chosen if node in ends or node in reached]
            more = self._steiner.tree(joined, self.nodes - len(chosen))
        elif self.method == "k-hop":
            more = k_hop(self.core, live, self.nodes)
        else:
            more = most_visited(walk, self._tie, self.nodes)
        for node in more:
            if len(chosen) < self.nodes:
                chosen.setdefault(node)
        return list(chosen)

    def _edges(
        self, chosen: list[int], directions: Mapping[str, set[str]], paths: Iterable[EvidencePath]
    ) -> tuple[Edge, ...]:
        """Give all statements among the chosen concepts.

        A statement about a high (low) value stays only where this patient's value was high (low), or where a path
        rests on it: the other direction would speak of something that was not measured.
        """
        local = {node: index for index, node in enumerate(chosen)}
        on_path = {statement for path in paths for statement in path.statements}
        measured = {
            (place, direction)
            for code, told in directions.items()
            if (place := self.core.place.get(code)) is not None
            for direction in told
        }
        edges: list[Edge] = []
        begin = self._among_candidates
        for index, found in enumerate(self.core.steps_among(chosen, known_among=len(begin))):
            edges.extend(begin[index] if index < len(begin) else ())
            found.sort(key=lambda step: (local[step.target], step.statement))
            edges.extend(
                Edge(index, local[step.target], step.predicate, step.statement, step.weight)
                for step in found
                if step.measure is None or step.measure in measured or step.statement in on_path
            )
        return tuple(edges)

    @cached_property
    def _among_candidates(self) -> list[list[Edge]]:
        """The statements between candidates, which are the same in every subgraph: they are its first nodes."""
        first = [self.core.place[candidate] for candidate in self.core.candidates]
        local = {node: index for index, node in enumerate(first)}
        return [
            [
                Edge(index, local[step.target], step.predicate, step.statement, step.weight)
                for step in sorted(found, key=lambda step: (local[step.target], step.statement))
            ]
            for index, found in enumerate(self.core.steps_among(first))
        ]

    def _scores(self, chosen: list[int], walk: NDArray[np.float64], paths: Iterable[EvidencePath]) -> tuple[float, ...]:
        """Score nodes in [0, 1]: candidates by their evidence, others by the walk, relative to its highest."""
        evidence = evidence_score(paths)
        candidates = frozenset(self.core.candidates)
        visited = dict(zip(chosen, walk[chosen].tolist(), strict=True))
        top = max((value for node, value in visited.items() if self.core.ids[node] not in candidates), default=0.0)
        scores = []
        for node in chosen:
            identifier = self.core.ids[node]
            if identifier in candidates:
                scores.append(evidence.get(identifier, 0.0))
            else:
                scores.append(round(visited[node] / top, 6) if top > 0 else 0.0)
        return tuple(scores)

"""Retrieval by its rules, one patient at a time and one thing after the other: what the fast code must equal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from kg.retrieve.core import Core
from kg.retrieve.evidence import INDICATES, MEASURES, UNDERLYING, EvidenceIndex, Template
from kg.retrieve.pagerank import personalised_pagerank
from kg.retrieve.seeds import LAB_ORIGINS, Start, seeds_of
from kg.types import Edge, EvidencePath, Finding, PatientSubgraph, Seed
from kg.vocabulary import Category

Statement = tuple[str, str, object, str, float]
STATES = {
    "historical": {"risk": 1.0, "complication": 0.6, "named": 0.4, "treatment": 1.0},
    "family": {"risk": 1.0},
}
FILL = {Category.PHENOTYPE: 64, Category.DRUG: 4, Category.PROCEDURE: 3, Category.EXPOSURE: 4}


class Plain:
    def __init__(self, core: Core, statements: Sequence[Statement], nodes: int, seed: int = 0) -> None:
        self.core, self.statements, self.nodes = core, statements, nodes
        information = dict(zip(core.ids, core.information.tolist(), strict=True))
        self.index = EvidenceIndex(core.triples, core.candidates, information)
        self.tie = np.random.default_rng(seed).permutation(len(core.ids)).tolist()

    def subgraph(self, findings: Sequence[Finding], admission: str, mode: str) -> PatientSubgraph:
        starts = seeds_of(findings, mode, self.core)
        walk, paths = self.walk(starts), self.paths(starts)
        seeds = self.seeds(starts, paths)
        nodes = self.choose(seeds, paths, walk)
        kept: list[EvidencePath] = []
        pairs: Counter[tuple[str, str]] = Counter()
        counts: Counter[str] = Counter()
        for path in paths:
            if not set(path.nodes) <= set(nodes):
                continue
            if counts[path.candidate] < 24 and pairs[path.seed, path.candidate] < 2:
                counts[path.candidate] += 1
                pairs[path.seed, path.candidate] += 1
                kept.append(path)
        counted = [f for f in findings if mode == "all" or f.origin in LAB_ORIGINS]
        return PatientSubgraph(
            admission_id=admission,
            mode=mode,
            nodes=tuple(nodes),
            categories=tuple(self.core.categories[self.core.place[node]] for node in nodes),
            scores=self.scores(nodes, walk, kept),
            seeds=tuple(seed for seed in seeds if seed.concept in nodes),
            edges=self.edges(nodes, counted, kept),
            paths=tuple(kept),
        )

    def walk(self, starts: Sequence[Start]) -> dict[str, float]:
        total = sum(start.seed.weight for start in starts)
        visits = dict.fromkeys(self.core.ids, 0.0)
        for seed in (start.seed for start in starts if start.seed.weight > 0):
            column = np.zeros((len(self.core.ids), 1))
            column[self.core.place[seed.concept]] = 1
            ranks = personalised_pagerank(self.core.transposed, self.core.dangling, column, damping=0.5, iterations=24)
            values = np.round(ranks[:, 0], 10).tolist()
            for at in sorted(range(len(values)), key=lambda at: (-values[at], self.tie[at]))[:256]:
                if values[at] > 1e-7:
                    visits[self.core.ids[at]] += values[at] * (seed.weight / total)
        return {concept: float(np.round(value, 9)) for concept, value in visits.items()}

    def paths(self, starts: Sequence[Start]) -> list[EvidencePath]:
        paths = []
        for start in starts:
            seed, best = start.seed, {}
            for direction in sorted(start.directions) or [None]:
                for t in self.index.templates(seed.concept, direction) if seed.weight > 0 else ():
                    factor = t.factor * STATES.get(seed.state, {t.meta_path: 1.0}).get(t.meta_path, 0.0)
                    held: tuple[float, Template | None] = best.get((t.candidate, t.meta_path), (0.0, None))
                    if factor > held[0]:
                        best[t.candidate, t.meta_path] = factor, t
            strongest: dict[str, float] = {}
            for (candidate, _), (factor, _) in sorted(best.items(), key=lambda item: item[0]):
                strongest[candidate] = max(factor, strongest.get(candidate, 0.0))
            for key in sorted(best):
                factor, t = best[key]
                weight = seed.weight / (sum(strongest.values()) / max(strongest.values()))
                score = round(weight * factor, 6)
                paths.append(EvidencePath(t.candidate, seed.concept, t.meta_path, t.nodes, t.statements, score))
        said = self.said(paths)
        totals = {candidate: sum(seeds.values()) for candidate, seeds in said.items()}
        more = []
        for cause in sorted(totals):
            if totals[cause] < 0.5 * max(totals.values()) or len(said[cause]) < 2:
                continue
            path = min((p for p in paths if p.candidate == cause), key=rank)
            for link in self.index.complications.get(cause, ()):
                if link.other not in path.nodes:
                    score = round(path.score * UNDERLYING * link.weight, 6)
                    ends = (*path.nodes, link.other), (*path.statements, link.statement)
                    more.append(EvidencePath(link.other, path.seed, "underlying", *ends, score))
        return sorted(paths + more, key=rank)

    def said(self, paths: Sequence[EvidencePath]) -> dict[str, dict[str, float]]:
        best: dict[str, dict[str, float]] = {}
        for path in paths:
            seeds = best.setdefault(path.candidate, {})
            seeds[path.seed] = max(path.score, seeds.get(path.seed, 0.0))
        return best

    def seeds(self, starts: Sequence[Start], paths: Sequence[EvidencePath]) -> list[Seed]:
        says: dict[str, float] = {}
        for path in paths:
            says[path.seed] = max(path.score, says.get(path.seed, 0.0))
        live = [start.seed for start in starts if start.seed.state != "denied"]
        denied = [start.seed for start in starts if start.seed.state == "denied"]
        linked = sorted((s for s in live if s.concept in says), key=lambda s: (-says[s.concept], s.concept))
        room = int(0.46 * self.nodes)
        other = [s for s in live if s.concept not in says][: max(int(0.05 * self.nodes), room - len(linked))]
        chosen = sorted(linked[: room - len(other)] + other, key=lambda s: (-s.weight, s.concept))
        denied.sort(key=lambda s: (not self.index.templates(s.concept), -self.information(s.concept), s.concept))
        return chosen + denied[: int(0.08 * self.nodes)]

    def information(self, concept: str) -> float:
        return float(self.core.information[self.core.place[concept]])

    def choose(self, seeds: Sequence[Seed], paths: Sequence[EvidencePath], walk: dict[str, float]) -> list[str]:
        chosen = list(self.core.candidates)
        for concept in [seed.concept for seed in seeds]:
            if len(chosen) < self.nodes and concept not in chosen:
                chosen.append(concept)
        for path in paths:
            new = [node for node in path.nodes if node not in chosen]
            if len(path.nodes) > 2 and len(chosen) + len(new) <= self.nodes:
                chosen.extend(new)
        left = dict(FILL)
        for concept in sorted(self.index.stated, key=lambda c: (-walk[c], self.tie[self.core.place[c]])):
            if len(chosen) >= self.nodes or walk[concept] == 0:
                break
            category = self.core.categories[self.core.place[concept]]
            if concept not in chosen and left.get(category, 0) > 0:
                left[category] -= 1
                chosen.append(concept)
        return chosen

    def edges(self, nodes: list[str], findings: Sequence[Finding], paths: Sequence[EvidencePath]) -> tuple[Edge, ...]:
        on_path = {statement for path in paths for statement in path.statements}
        measured = {(f.code, f.direction) for f in findings if f.present}
        candidates = set(self.core.candidates)
        found = []
        for subject, object_, predicate, statement, weight in self.statements:
            if subject not in nodes or object_ not in nodes:
                continue
            told = (object_, MEASURES[predicate]) if predicate in MEASURES else None  # type: ignore[index]
            told = (subject, INDICATES[predicate]) if predicate in INDICATES else told  # type: ignore[index]
            free = told is None or {subject, object_} <= candidates
            if free or told in measured or statement in on_path:
                ends = nodes.index(subject), nodes.index(object_)
                found.append(Edge(*ends, predicate, statement, weight))  # type: ignore[arg-type]
        return tuple(sorted(found, key=lambda e: (e.source, e.target, e.statement)))

    def scores(self, nodes: list[str], walk: dict[str, float], paths: Sequence[EvidencePath]) -> tuple[float, ...]:
        totals = {candidate: sum(seeds.values()) for candidate, seeds in self.said(paths).items()}
        rest = [walk[node] for node in nodes if node not in self.core.candidates]
        top = max(rest, default=0.0)
        return tuple(
            round(totals.get(node, 0.0) / (1 + totals.get(node, 0.0)), 6)
            if node in self.core.candidates
            else (round(walk[node] / top, 6) if top > 0 else 0.0)
            for node in nodes
        )


def rank(path: EvidencePath) -> tuple[float, str, str, str]:
    return -path.score, path.candidate, path.seed, path.meta_path

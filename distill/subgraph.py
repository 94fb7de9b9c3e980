"""From a patient's subgraph to tensors: what the model may know of a node, an edge and a path of evidence."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch_geometric.data import Data

from kg.types import PatientSubgraph, Seed
from kg.vocabulary import Category, Predicate

STATES = ("none", "present", "denied", "historical", "hypothetical", "family")
"""States of a node; the model's index of a present finding is 1."""
ORIGINS = ("note", "lab", "vital", "medication")
CATEGORIES = tuple(Category)
PREDICATES = tuple(Predicate)
COUNTING = tuple(STATES.index(state) for state in ("present", "historical", "family"))
"""States that count from the start; retrieval gives a past finding only the paths that its past may speak for."""
OTHER = "other"
BARE = "edge "
"""Prefix of the kinds of evidence that are edges without a path."""
NODE_SCALARS = 5 + len(ORIGINS)
PATH_FEATURES = 7 + len(ORIGINS)
NAME_TOKENS = 8
_FLOOR = 0.01


@dataclass(frozen=True, slots=True)
class ConceptFacts:
    """What is known of concepts as such: names and degrees from the graph, frequency from training patients."""

    names: Mapping[str, str]
    degrees: Mapping[str, int]
    frequencies: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """One path of evidence from a seed to a candidate, as the counter sees it; ``statements`` are for citing."""

    seed: str
    candidate: str
    kind: str
    weight: float
    score: float
    hops: int
    statements: tuple[str, ...]


def present_frequencies(subgraphs: Iterable[PatientSubgraph]) -> dict[str, float]:
    """Give for each concept the share of (training) patients who have it as a present finding."""
    counts: Counter[str] = Counter()
    total = 0
    for subgraph in subgraphs:
        total += 1
        counts.update({seed.concept for seed in subgraph.seeds if seed.state == "present"})
    return {concept: round(count / total, 6) for concept, count in sorted(counts.items())}


def evidence_rows(subgraph: PatientSubgraph, labels: Mapping[str, int]) -> list[EvidenceRow]:
    """List how seeds reach candidates: the best typed path of each pair, and edges that no path covers.

    Edges matter where retrieval gives no score, as from a denied finding to the disease that would show it.
    """
    strength = {edge.statement: edge.weight for edge in subgraph.edges}
    best: dict[tuple[str, str], EvidenceRow] = {}
    for path in sorted(subgraph.paths, key=lambda p: (-p.score, p.meta_path, p.statements)):
        if path.candidate in labels and (path.seed, path.candidate) not in best:
            weight = math.prod(strength.get(statement, 1.0) for statement in path.statements)
            best[path.seed, path.candidate] = EvidenceRow(
                path.seed, path.candidate, path.meta_path, weight, path.score, len(path.statements), path.statements
            )
    seeds = {seed.concept for seed in subgraph.seeds}
    for edge in sorted(subgraph.edges, key=lambda e: (-e.weight, e.statement)):
        for here, there in ((edge.source, edge.target), (edge.target, edge.source)):
            pair = (subgraph.nodes[here], subgraph.nodes[there])
            if pair[0] in seeds and pair[1] in labels and pair not in best and pair[0] != pair[1]:
                kind = f"{BARE}{edge.predicate.name.lower()}"
                best[pair] = EvidenceRow(*pair, kind, edge.weight, 0.0, 1, (edge.statement,))
    return [best[pair] for pair in sorted(best)]


def path_kinds(subgraphs: Iterable[PatientSubgraph], labels: Mapping[str, int]) -> tuple[str, ...]:
    """Give the kinds of paths that occur (in training), sorted, after ``other``."""
    found = {row.kind for subgraph in subgraphs for row in evidence_rows(subgraph, labels)}
    return (OTHER, *sorted(found - {OTHER}))


def empty_subgraph(admission_id: str, mode: str, labels: Sequence[str]) -> PatientSubgraph:
    """Give the subgraph of a patient without findings: the candidates alone."""
    categories, scores = (Category.DISEASE,) * len(labels), (0.0,) * len(labels)
    return PatientSubgraph(admission_id, mode, tuple(labels), categories, scores, (), ())


@dataclass(slots=True)
class SubgraphEncoding:
    """Turns subgraphs into `torch_geometric.data.Data`; see `encoder.model.ModelInputs` for the fields.

    Attributes:
        labels: label ids to places.
        kinds: kinds of paths, ``other`` first.
        facts: names, degrees and frequencies.
        name_tokens: gives the token ids of a name.
    """

    labels: Mapping[str, int]
    kinds: tuple[str, ...]
    facts: ConceptFacts
    name_tokens: Callable[[str], list[int]]
    _names: dict[str, list[int]] = field(default_factory=dict)

    @property
    def relations(self) -> int:
        """Number of edge types: predicates, then kinds of paths."""
        return len(PREDICATES) + len(self.kinds)

    def _name(self, concept: str) -> list[int]:
        if concept not in self._names:
            self._names[concept] = self.name_tokens(self.facts.names.get(concept, concept))[:NAME_TOKENS]
        return self._names[concept]

    def _scalars(self, concept: str, score: float, seed: Seed | None) -> list[float]:
        frequency = self.facts.frequencies.get(concept, 0.0)
        return [
            seed.weight if seed else 0.0,
            min(score, 1.0),
            math.log1p(self.facts.degrees.get(concept, 0)) / 5,
            -math.log(frequency + _FLOOR) / 5,
            float(concept in self.labels),
            *(float(seed is not None and origin in seed.origins) for origin in ORIGINS),
        ]

    def encode(self, subgraph: PatientSubgraph) -> Data:
        """Encode one patient's subgraph."""
        seeds = {seed.concept: seed for seed in sorted(subgraph.seeds, key=lambda s: (s.state == "present", s.weight))}
        nodes = subgraph.nodes
        names = torch.zeros(len(nodes), NAME_TOKENS, dtype=torch.long)
        named = torch.zeros(len(nodes), NAME_TOKENS, dtype=torch.bool)
        for row, concept in enumerate(nodes):
            ids = self._name(concept)
            names[row, : len(ids)] = torch.tensor(ids, dtype=torch.long)
            named[row, : len(ids)] = True
        states = [STATES.index(seeds[c].state) if c in seeds and seeds[c].state in STATES else 0 for c in nodes]
        scalars = [self._scalars(c, s, seeds.get(c)) for c, s in zip(nodes, subgraph.scores, strict=True)]
        data = Data(
            num_nodes=len(nodes),
            name_ids=names,
            name_mask=named,
            category=torch.tensor([CATEGORIES.index(c) for c in subgraph.categories], dtype=torch.long),
            state=torch.tensor(states, dtype=torch.long),
            scalars=torch.tensor(scalars, dtype=torch.float32).reshape(len(nodes), NODE_SCALARS),
            label=torch.tensor([self.labels.get(c, -1) for c in nodes], dtype=torch.long),
        )
        self._add_paths(data, subgraph, seeds)
        return data

    def rows(self, subgraph: PatientSubgraph) -> list[EvidenceRow]:
        """Give the evidence rows in the order of the encoded paths."""
        place = set(subgraph.nodes)
        return [r for r in evidence_rows(subgraph, self.labels) if r.seed in place and r.candidate in place]

    def _add_paths(self, data: Data, subgraph: PatientSubgraph, seeds: Mapping[str, Seed]) -> None:
        place = {concept: row for row, concept in enumerate(subgraph.nodes)}
        kind = {name: index for index, name in enumerate(self.kinds)}
        rows = self.rows(subgraph)
        reached = Counter(row.seed for row in rows)
        ends, types, states, priors, strengths, features = [], [], [], [], [], []
        for row in rows:
            seed = seeds.get(row.seed) or Seed(row.seed, 1.0, ())
            frequency = self.facts.frequencies.get(row.seed, 0.0)
            strength = seed.weight or 1.0
            lift = max(-1.0, min(3.0, math.log((row.weight + _FLOOR) / (frequency + _FLOOR))))
            ends.append((place[row.seed], place[row.candidate]))
            types.append(kind.get(row.kind, 0))
            states.append(STATES.index(seed.state) if seed.state in STATES else 0)
            priors.append(4.0 * row.score + 0.1 * row.weight)
            strengths.append(strength)
            numbers = [row.weight, min(row.score, 1.0), lift / 3, strength, row.hops / 3]
            numbers += [-math.log(frequency + _FLOOR) / 5, math.log(reached[row.seed]) / 3]
            features.append(numbers + [float(origin in seed.origins) for origin in ORIGINS])
        paths = torch.tensor(ends, dtype=torch.long).reshape(-1, 2).t().contiguous()
        data.path_index = paths
        data.path_type = torch.tensor(types, dtype=torch.long)
        data.path_state = torch.tensor(states, dtype=torch.long)
        data.path_prior = torch.tensor(priors, dtype=torch.float32)
        data.path_seed = torch.tensor(strengths, dtype=torch.float32)
        data.path_features = torch.tensor(features, dtype=torch.float32).reshape(-1, PATH_FEATURES)
        edges = torch.tensor([(e.source, e.target) for e in subgraph.edges], dtype=torch.long).reshape(-1, 2).t()
        relation = torch.tensor([PREDICATES.index(e.predicate) for e in subgraph.edges], dtype=torch.long)
        weight = torch.tensor([e.weight for e in subgraph.edges], dtype=torch.float32)
        data.edge_index = torch.cat((edges, paths), 1)
        data.relation = torch.cat((relation, data.path_type + len(PREDICATES)))
        data.weight = torch.cat((weight, torch.tensor([row.weight for row in rows], dtype=torch.float32)))

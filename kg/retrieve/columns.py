"""Subgraphs of several patients as columns: quickly a table, and objects where somebody asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from kg.retrieve.core import Core
from kg.retrieve.path_store import META_PATHS, METAS, PathStore
from kg.retrieve.path_table import Paths, candidates_of
from kg.retrieve.roster import Labels, Ragged
from kg.retrieve.snapshot import PREDICATES
from kg.retrieve.table import SCHEMA
from kg.retrieve.ties import Ties
from kg.types import Edge, PatientSubgraph, Seed

Ints = NDArray[np.int64]
_HELD = 50_000
"""Edges as objects that are kept for the next patient."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Subgraphs; the rows of patient ``i`` lie at ``ends[i]:ends[i + 1]`` of each group of columns.

    Attributes:
        patients: admission and mode.
        node_ends, nodes, scores: places of concepts, and their scores.
        seed_ends, seeds: numbers of seeds in the `Library`.
        edge_ends, source, target, tie: indices among the patient's nodes, number of the statement in its `Ties`.
        path_ends, paths: as `kg.retrieve.path_table` gives them.
    """

    patients: Sequence[tuple[str, str]]
    node_ends: Ints
    nodes: Ints
    scores: NDArray[np.float64]
    seed_ends: Ints
    seeds: Ints
    edge_ends: Ints
    source: Ints
    target: Ints
    tie: Ints
    path_ends: Ints
    paths: Paths


class Library:
    """The names to which the numbers of `Columns` refer."""

    def __init__(self, core: Core, store: PathStore, ties: Ties, labels: Labels) -> None:
        """Begin without seeds."""
        self._core, self._store, self._ties, self._labels = core, store, ties, labels
        self.seeds: list[Seed] = []
        self._ids = pa.array(core.ids, pa.string())
        self._categories = pa.array([category.value for category in core.categories], pa.string())
        self._predicates = pa.array([predicate.value for predicate in PREDICATES], pa.string())
        self._metas = pa.array(META_PATHS, pa.string())
        self._places = np.array([core.place[candidate] for candidate in core.candidates], dtype=np.int64)
        self._grown: dict[str, Any] = {}
        self._held: dict[tuple[int, int, int], Edge] = {}

    def _as_arrow(self, name: str, values: Sequence[Any], kind: pa.DataType) -> pa.Array:
        """Give a list that only grows as Arrow, made anew where it has grown."""
        held = self._grown.get(name)
        if held is None:
            held = self._grown[name] = pa.array(values, kind)
        elif len(held) < len(values):
            held = self._grown[name] = pa.concat_arrays([held, pa.array(values[len(held) :], kind)])
        return held

    def frame(self, columns: Columns) -> pl.DataFrame:
        """Give subgraphs as rows of the table, in their order."""
        paths, store = columns.paths, self._store
        seeds = self._as_arrow("seeds", _Fields(self.seeds), _SEED).take(columns.seeds)
        statements = self._as_arrow("statements", self._labels.texts, pa.string())
        edges = {
            "source": pa.array(columns.source.astype(np.int32)),
            "target": pa.array(columns.target.astype(np.int32)),
            "predicate": self._predicates.take(self._ties.predicates[columns.tie]),
            "statement": statements.take(self._ties.labels[columns.tie]),
            "weight": pa.array(self._ties.weights[columns.tie]),
        }
        told = {
            "candidate": self._ids.take(self._places[candidates_of(paths, store)]),
            "seed": self._ids.take(paths.key // METAS % len(self._core.ids)),
            "meta_path": self._metas.take(paths.meta),
            "nodes": _ragged(store.flat_nodes, paths.template, self._ids),
            "statements": _ragged(store.flat_statements, paths.template, statements),
            "score": pa.array(paths.score),
        }
        found = {
            "admission_id": pa.array([admission for admission, _ in columns.patients], pa.string()),
            "mode": pa.array([mode for _, mode in columns.patients], pa.string()),
            "nodes": _lists(columns.node_ends, self._ids.take(columns.nodes)),
            "categories": _lists(columns.node_ends, self._categories.take(columns.nodes)),
            "scores": _lists(columns.node_ends, pa.array(columns.scores)),
            "seeds": _lists(columns.seed_ends, seeds),
            "edges": _lists(columns.edge_ends, pa.StructArray.from_arrays(list(edges.values()), list(edges))),
            "paths": _lists(columns.path_ends, pa.StructArray.from_arrays(list(told.values()), list(told))),
        }
        frame = pl.from_arrow(pa.table(found), schema=SCHEMA)
        assert isinstance(frame, pl.DataFrame)  # noqa: S101 - for the type checker
        return frame

    def objects(self, columns: Columns) -> Iterator[PatientSubgraph]:
        """Give subgraphs one by one, in their order."""
        core, c = self._core, columns
        nodes, scores = columns.nodes.tolist(), columns.scores.tolist()
        edges = self._edges(columns)
        told = self._store.objects(columns.paths.template.tolist(), columns.paths.score.tolist())
        seeds = [self.seeds[number] for number in columns.seeds.tolist()]
        ends = [each.tolist() for each in (c.node_ends, c.seed_ends, c.edge_ends, c.path_ends)]
        for at, (admission, mode) in enumerate(columns.patients):
            node, seed, edge, path = (slice(each[at], each[at + 1]) for each in ends)
            yield PatientSubgraph(
                admission_id=admission,
                mode=mode,
                nodes=tuple([core.ids[place] for place in nodes[node]]),
                categories=tuple([core.categories[place] for place in nodes[node]]),
                scores=tuple(scores[node]),
                seeds=tuple(seeds[seed]),
                edges=tuple(edges[edge]),
                paths=tuple(told[path]),
            )

    def _edges(self, columns: Columns) -> list[Edge]:
        """Give edges as objects; patients share them."""
        ties, held, found = self._ties, self._held, []
        if len(held) > _HELD:
            held.clear()
        for key in zip(columns.source.tolist(), columns.target.tolist(), columns.tie.tolist(), strict=True):
            edge = held.get(key)
            if edge is None:
                source, target, tie = key
                predicate, weight = PREDICATES[ties.predicates[tie]], float(ties.weights[tie])
                edge = held[key] = Edge(source, target, predicate, self._labels.texts[ties.labels[tie]], weight)
            found.append(edge)
        return found


_SEED = pa.struct(
    {"concept": pa.string(), "weight": pa.float64(), "origins": pa.list_(pa.string()), "state": pa.string()}
)


class _Fields(Sequence[dict[str, Any]]):
    """Seeds as dictionaries, made as they are asked for."""

    def __init__(self, seeds: Sequence[Seed]) -> None:
        self._seeds = seeds

    def __len__(self) -> int:
        return len(self._seeds)

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return _Fields(self._seeds[at])
        seed = self._seeds[at]
        return {"concept": seed.concept, "weight": seed.weight, "origins": list(seed.origins), "state": seed.state}


def _lists(ends: Ints, values: pa.Array) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(ends.astype(np.int32)), values)


def _ragged(rows: Ragged, chosen: Ints, texts: pa.Array) -> pa.Array:
    return _lists(np.concatenate([[0], np.cumsum(rows.lengths(chosen))]), texts.take(rows.of(chosen)))

"""Other ways to choose the nodes of a subgraph, for comparison with typed paths.

``k-hop``     breadth first from the findings, nearest first, then what most findings reach
``steiner``   a tree that joins findings and candidates (Mehlhorn 1988), hubs dear
``ppr-only``  what personalised PageRank from the findings visits most

All walk the same part of the graph as `kg.retrieve.Retriever`, and none knows what a relation means. Candidates are
forced in as in the default method, and typed paths count where their nodes happen to be inside.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from kg.retrieve.core import Core
from kg.types import Seed

METHODS = ("typed", "k-hop", "steiner", "ppr-only")
HOPS = 2


def k_hop(core: Core, seeds: Sequence[Seed], room: int) -> list[int]:
    """Give concepts around the findings, nearest first, at most ``room``."""
    graph = core.transposed
    level = [core.place[seed.concept] for seed in seeds]
    seen = dict.fromkeys(level)
    for _ in range(HOPS):
        rows = [graph.indices[graph.indptr[node] : graph.indptr[node + 1]] for node in level]
        ends, counts = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *rows]), return_counts=True)
        order = ends[np.lexsort((ends, -counts))]
        level = [node for node in order.astype(np.int64).tolist() if node not in seen]
        seen.update(dict.fromkeys(level))
        if len(seen) >= room:
            break
    return list(seen)[:room]


def most_visited(walk: NDArray[np.float64], tie: NDArray[np.int64], room: int) -> list[int]:
    """Give the concepts that the walk visits most, at most ``room``."""
    near = np.flatnonzero(walk > 0)
    return near[np.lexsort((tie[near], -walk[near]))][:room].tolist()  # type: ignore[no-any-return]


class Steiner:
    """Joins concepts by a short tree; an edge is the longer the more relations its ends have."""

    def __init__(self, core: Core) -> None:
        """Measure the walked edges."""
        graph = core.transposed.tocoo()
        degree = np.log2(1.0 + np.diff(core.transposed.indptr))
        # Whole numbers, so that sums are exact and ties are ties on every machine.
        lengths = 16 + np.floor(8 * (degree[graph.row] + degree[graph.col]))
        self._graph = sparse.csr_matrix((lengths, (graph.row, graph.col)), shape=graph.shape)
        self._ends = (graph.row, graph.col, lengths)

    def tree(self, terminals: Sequence[int], room: int) -> list[int]:
        """Give the nodes that join the terminals, nearest pairs first, at most ``room`` beside the terminals."""
        if len(terminals) < 2:
            return []
        distance, before, source = csgraph.dijkstra(
            self._graph, directed=True, indices=sorted(terminals), min_only=True, return_predecessors=True
        )
        one, other, lengths = self._ends
        bridge = (source[one] != source[other]) & (source[one] >= 0) & (source[other] >= 0) & (one < other)
        one, other, lengths = one[bridge], other[bridge], lengths[bridge]
        total = distance[one] + lengths + distance[other]
        root = {terminal: terminal for terminal in terminals}
        found: dict[int, None] = {}
        for at in np.lexsort((other, one, total)).tolist():
            ends = int(one[at]), int(other[at])
            roots = [_find(root, int(source[end])) for end in ends]
            if roots[0] == roots[1]:
                continue
            between = [node for end in ends for node in _back(end, before) if node not in root and node not in found]
            if len(found) + len(between) <= room:
                root[roots[0]] = roots[1]
                found.update(dict.fromkeys(between))
        return list(found)


def _find(root: dict[int, int], node: int) -> int:
    while root[node] != node:
        root[node] = root[root[node]]
        node = root[node]
    return node


def _back(node: int, before: NDArray[np.int32]) -> list[int]:
    found = []
    while node >= 0:
        found.append(node)
        node = int(before[node])
    return found

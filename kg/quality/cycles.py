"""Cycles in the hierarchy: strongly connected components, and a shortest way round in each."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

Edges = npt.NDArray[np.int64]

_BUDGET = 1_000_000
"""Edges that the search for a shortest cycle of one component follows at most."""


def cycles_of(edges: Edges, size: int) -> Iterator[tuple[list[int], list[int]]]:
    """Find every set of nodes that reach each other, largest first.

    Args:
        edges: shape ``(n, 2)``, from and to, as numbers below ``size``.
        size: number of nodes.

    Yields:
        The nodes of a component, ascending, and a cycle through some of them: a shortest one, or in a huge component
        the shortest that was found before the search gave up.
    """
    from scipy.sparse import coo_array  # heavy to import, and most builds change nothing
    from scipy.sparse.csgraph import connected_components

    loops = edges[edges[:, 0] == edges[:, 1], 0]
    if not len(edges):
        return
    matrix = coo_array((np.ones(len(edges), dtype=np.int8), (edges[:, 0], edges[:, 1])), shape=(size, size))
    _, label = connected_components(matrix, directed=True, connection="strong")
    counts = np.bincount(label)
    inside = (label[edges[:, 0]] == label[edges[:, 1]]) & (counts[label[edges[:, 0]]] > 1)
    kept = edges[inside]
    order = np.argsort(label[kept[:, 0]], kind="stable")
    parts = np.split(kept[order], np.flatnonzero(np.diff(label[kept[order, 0]])) + 1) if len(kept) else []
    found = [(sorted(set(part.reshape(-1).tolist())), _shortest(part)) for part in parts]
    known = {node for nodes, _ in found for node in nodes}
    found += [([node], [node]) for node in sorted(set(loops.tolist()) - known)]
    yield from sorted(found, key=lambda one: (-len(one[0]), one[0]))


def _shortest(edges: Edges) -> list[int]:
    near: dict[int, list[int]] = {}
    for start, end in sorted(set(map(tuple, edges.tolist()))):
        near.setdefault(start, []).append(end)
    best: list[int] = []
    spent = 0
    for node in sorted(near):
        found, cost = _through(node, near, len(best))
        best = found or best
        spent += cost
        if (0 < len(best) <= 2) or spent > _BUDGET:
            break
    return best


def _through(start: int, near: Mapping[int, list[int]], shorter: int) -> tuple[list[int], int]:
    """Search the shortest cycle through a node, if it has fewer nodes than ``shorter`` (0: any)."""
    came = {start: start}
    depth = {start: 1}
    queue = deque([start])
    cost = 0
    while queue:
        node = queue.popleft()
        if shorter and depth[node] >= shorter:
            break
        for other in near.get(node, ()):
            cost += 1
            if other == start:
                path = [node]
                while path[-1] != start:
                    path.append(came[path[-1]])
                return path[::-1], cost
            if other not in came:
                came[other], depth[other] = node, depth[node] + 1
                queue.append(other)
    return [], cost

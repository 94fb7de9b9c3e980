"""Personalised PageRank for many admissions at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

_NEAR = 4
"""Steps during which a walk has not yet come far, and only what it reached is held."""
ITERATIONS = 60
"""Enough for 1e-9 at a damping of 0.7; a fixed number makes each column independent of its batch."""


def transition(adjacency: sparse.csr_matrix) -> tuple[sparse.csr_matrix, NDArray[np.bool_]]:
    """Turn weights into probabilities.

    Args:
        adjacency: non-negative weights, row to column, shape ``(n, n)``.

    Returns:
        The transposed row-stochastic matrix, shape ``(n, n)``, and which rows have no outgoing weight, shape ``(n,)``.
    """
    sums = np.asarray(adjacency.sum(axis=1)).ravel()
    dangling = sums == 0
    scale = sparse.diags(np.divide(1.0, sums, out=np.zeros_like(sums), where=~dangling))
    return (scale @ adjacency).T.tocsr(), dangling


def personalised_pagerank(
    transposed: sparse.csr_matrix,
    dangling: NDArray[np.bool_],
    seeds: NDArray[np.float64],
    *,
    damping: float = 0.85,
    iterations: int = ITERATIONS,
) -> NDArray[np.float64]:
    """Run power iteration on all columns together (Page et al. 1999).

    Args:
        transposed: from `transition`, shape ``(n, n)``.
        dangling: from `transition`, shape ``(n,)``; their mass returns to the seeds, as in networkx.
        seeds: non-negative seed weights, one column an admission, shape ``(n, k)``.
        damping: probability of going on.
        iterations: fixed, so that a column's result does not depend on the others.

    Returns:
        Probabilities, shape ``(n, k)``; a column without seeds is zero.
    """
    totals = seeds.sum(axis=0)
    start = np.divide(seeds, totals, out=np.zeros_like(seeds, dtype=np.float64), where=totals > 0)
    rank: NDArray[np.float64] = start.copy()
    for _ in range(iterations):
        lost = rank[dangling].sum(axis=0)
        rank = np.asarray(damping * (transposed @ rank + start * lost) + (1 - damping) * start)
    return rank


def walks_from(
    transposed: sparse.csr_matrix, places: NDArray[np.int64], *, damping: float, iterations: int
) -> NDArray[np.float64]:
    """Run power iteration from single nodes of a graph in which every node has a way out.

    `personalised_pagerank` to the last bit where ``damping`` is a power of two: scaling by it is exact, and what is
    left out adds zero.

    Args:
        transposed: from `transition`, without dangling nodes, shape ``(n, n)``.
        places: where each walk starts, shape ``(k,)``.
        damping: probability of going on.
        iterations: fixed.

    Returns:
        Probabilities, shape ``(n, k)``.
    """
    damped = damping * transposed
    columns = np.arange(len(places))
    shape = (transposed.shape[0], len(places))
    restart = sparse.csr_matrix((np.full(len(places), 1 - damping), (places, columns)), shape=shape)
    near = sparse.csr_matrix((np.ones(len(places)), (places, columns)), shape=shape)
    first = min(_NEAR, iterations)
    for _ in range(first):
        near = damped @ near + restart
    rank: NDArray[np.float64] = near.toarray()
    for _ in range(iterations - first):
        rank = damped @ rank
        rank[places, columns] += 1 - damping
    return rank


def neighbours_together(matrix: sparse.csr_matrix) -> tuple[sparse.csr_matrix, NDArray[np.int64]]:
    """Renumber nodes so that those that are tied lie near each other, which a processor's cache rewards.

    The entries of a row keep their order, so that sums over a row keep their last bit.

    Args:
        matrix: with symmetric structure, shape ``(n, n)``.

    Returns:
        The matrix, and the old number of each new one, shape ``(n,)``.
    """
    if not matrix.shape[0]:
        return matrix, np.zeros(0, dtype=np.int64)
    order = sparse.csgraph.reverse_cuthill_mckee(matrix, symmetric_mode=True).astype(np.int64)
    new = np.empty(len(order), dtype=matrix.indices.dtype)
    new[order] = np.arange(len(order))
    lengths = np.diff(matrix.indptr)[order]
    pointers = np.concatenate([[0], np.cumsum(lengths)])
    entries = np.arange(pointers[-1]) + np.repeat(matrix.indptr[order] - pointers[:-1], lengths)
    data, indices = matrix.data[entries], new[matrix.indices[entries]]
    return sparse.csr_matrix((data, indices, pointers.astype(matrix.indptr.dtype)), shape=matrix.shape), order

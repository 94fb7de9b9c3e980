"""How much a term tells: information content from annotations and from the hierarchy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse


def information_content(
    hierarchy: NDArray[np.bool_],
    sources: NDArray[np.int64],
    targets: NDArray[np.int32],
    is_a: NDArray[np.bool_],
    shows: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Give each concept's information content, -log of the share of diseases that show it, scaled to [0, 1].

    A disease that shows a term shows all terms above it (Resnik 1995). Where no disease is annotated below a term, its
    place in the hierarchy counts (Seco et al. 2004); concepts outside any hierarchy have 1.

    Args:
        hierarchy: which concepts are terms of the hierarchy, shape ``(n,)``.
        sources: subject of each statement, shape ``(m,)``.
        targets: object of each statement, shape ``(m,)``.
        is_a: which statements say that subject is a kind of object, shape ``(m,)``.
        shows: which statements say that subject (a disease) shows object, shape ``(m,)``.
    """
    n = len(hierarchy)
    inside = is_a & hierarchy[sources] & hierarchy[targets]
    above = _closure(sources[inside], targets[inside], n)
    ones = np.ones(int(shows.sum()), dtype=np.int32)
    annotated = sparse.csr_matrix((ones, (targets[shows], sources[shows])), shape=(n, n))
    diseases = len(np.unique(sources[shows]))
    counts = np.diff((above.T @ annotated).tocsr().indptr).astype(np.float64)
    content = np.ones(n)
    if diseases > 1:
        content = -np.log((counts + 1) / (diseases + 1)) / np.log(diseases + 1)
    below = np.diff(above.T.tocsr().indptr).astype(np.float64)
    total = max(float(hierarchy.sum()), 2.0)
    structural = 1 - np.log(np.maximum(below, 1)) / np.log(total)
    content = np.where(counts > 0, np.minimum(content, structural), structural)
    return np.where(hierarchy, np.clip(content, 0.0, 1.0), 1.0)


def _closure(children: NDArray[np.int64], parents: NDArray[np.int32], n: int) -> sparse.csr_matrix:
    """Give the reflexive transitive closure of ``child is_a parent`` by repeated squaring; cycles do no harm."""
    eye = sparse.identity(n, dtype=np.int32, format="csr")
    step = sparse.csr_matrix((np.ones(len(children), dtype=np.int32), (children, parents)), shape=(n, n))
    reach = (eye + step).tocsr()
    while True:
        reach.data[:] = 1
        wider = (reach @ reach).tocsr()
        if wider.nnz == reach.nnz:
            return reach
        reach = wider

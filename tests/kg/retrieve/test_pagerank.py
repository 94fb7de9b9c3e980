"""Batched power iteration against networkx."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from scipy import sparse

from kg.retrieve.pagerank import personalised_pagerank, transition


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("damping", [0.6, 0.85])
def test_agrees_with_networkx(seed: int, damping: float) -> None:
    random = np.random.default_rng(seed)
    n = 30
    weights = np.where(random.random((n, n)) < 0.12, random.random((n, n)), 0.0)
    weights[random.integers(n)] = 0  # a dangling node
    seeds = np.where(random.random((n, 4)) < 0.2, random.random((n, 4)), 0.0)
    seeds[0] += 0.1
    transposed, dangling = transition(sparse.csr_matrix(weights))
    ranks = personalised_pagerank(transposed, dangling, seeds, damping=damping, iterations=200)
    graph = nx.DiGraph()
    graph.add_nodes_from(range(n))
    graph.add_weighted_edges_from((i, j, weights[i, j]) for i, j in zip(*np.nonzero(weights), strict=True))
    for column in range(4):
        start = {i: float(seeds[i, column]) for i in range(n)}
        expected = nx.pagerank(graph, alpha=damping, personalization=start, tol=1e-12, max_iter=1000)
        assert np.abs(ranks[:, column] - [expected[i] for i in range(n)]).max() < 1e-6


def test_columns_do_not_touch_each_other_and_an_empty_one_stays_empty() -> None:
    random = np.random.default_rng(0)
    weights = sparse.csr_matrix(np.triu(random.random((8, 8)), 1))
    transposed, dangling = transition(weights)
    seeds = random.random((8, 3))
    seeds[:, 1] = 0
    together = personalised_pagerank(transposed, dangling, seeds)
    assert together[:, 1].sum() == 0
    for column in (0, 2):
        alone = personalised_pagerank(transposed, dangling, seeds[:, column : column + 1])
        assert np.abs(alone[:, 0] - together[:, column]).max() < 1e-14
        assert together[:, column].sum() == pytest.approx(1.0)

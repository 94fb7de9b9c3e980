"""The other methods, and invariants that hold for all of them."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ehr.errors import InputError
from ehr.phenotypes import load_phenotypes
from kg.bundle import Bundle
from kg.retrieve import METHODS, Retriever
from kg.retrieve.methods import Steiner
from kg.retrieve.snapshot_files import load_snapshot
from kg.types import Finding
from tests.kg.retrieve.conftest import CONCEPTS, FINDINGS

FEET, LEGS, HEART, ROOT = "HP:0012098", "HP:0010741", "CCS:108", "HP:0000118"


@pytest.fixture(scope="module")
def retrievers(bundle: Bundle) -> dict[str, Retriever]:
    return {method: Retriever(load_snapshot(bundle), method=method, nodes=36) for method in METHODS}


def test_an_unknown_method_says_which_there_are(bundle: Bundle) -> None:
    with pytest.raises(InputError, match="k-hop"):
        Retriever(bundle, method="nearest")


def test_k_hop_takes_what_is_near(retrievers: dict[str, Retriever]) -> None:
    nodes = retrievers["k-hop"].retrieve([Finding("1", FEET, "note")], "1").nodes
    assert {FEET, LEGS} <= set(nodes) and "HP:0012735" not in nodes


def test_steiner_joins_finding_and_disease(retrievers: dict[str, Retriever]) -> None:
    subgraph = retrievers["steiner"].retrieve([Finding("1", FEET, "note")], "1")
    assert LEGS in subgraph.nodes and any(path.candidate == HEART for path in subgraph.paths)
    core = retrievers["steiner"].core
    steiner = Steiner(core)
    assert steiner.tree([core.place[FEET], core.place[HEART]], 9) == [core.place[LEGS]]
    assert steiner.tree([core.place[FEET]], 9) == [] == steiner.tree([core.place[FEET], core.place[HEART]], 0)


FINDING = st.builds(
    lambda concept, negated, historical, family: Finding(
        "1", concept, "note", negated=negated, historical=historical, family=family
    ),
    st.sampled_from([*sorted(CONCEPTS), "HP:9999999", ""]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(FINDING, max_size=12), st.sampled_from(METHODS), st.randoms())
def test_invariants(retrievers: dict[str, Retriever], findings: list[Finding], method: str, random: object) -> None:
    retriever = retrievers[method]
    subgraph = retriever.retrieve(findings, "1")
    assert subgraph.nodes[:25] == tuple(sorted(load_phenotypes().ids))
    assert len(set(subgraph.nodes)) == len(subgraph.nodes) <= 36
    assert {seed.concept for seed in subgraph.seeds} <= set(subgraph.nodes)
    assert {seed.concept for seed in subgraph.seeds} <= {finding.concept for finding in findings}
    held = {edge.statement for edge in subgraph.edges}
    assert len(held) == len(subgraph.edges)
    for path in subgraph.paths:
        assert held.issuperset(path.statements) and set(path.nodes) <= set(subgraph.nodes) and path.score > 0
        assert next(seed for seed in subgraph.seeds if seed.concept == path.seed).state != "denied"
    if not any(seed.weight for seed in subgraph.seeds):
        assert not subgraph.paths
    mixed = list(findings)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert retriever.retrieve(mixed, "1") == subgraph


@pytest.mark.parametrize("method", METHODS)
def test_a_fresh_retriever_gives_the_same(bundle: Bundle, retrievers: dict[str, Retriever], method: str) -> None:
    again = Retriever(bundle, method=method, nodes=36).retrieve(FINDINGS, "1")
    assert again == retrievers[method].retrieve(FINDINGS, "1")

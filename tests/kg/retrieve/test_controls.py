"""Controls keep the shape and lose the meaning."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ehr.errors import InputError
from kg.bundle import Bundle
from kg.retrieve import Retriever, candidate_scores, other_patient, rewire
from kg.retrieve.core import make_core
from kg.retrieve.rewiring import permuted_objects, rewire_triples
from kg.retrieve.snapshot_files import load_snapshot
from kg.types import Finding, PatientSubgraph


def degrees(subgraph: PatientSubgraph) -> tuple[Counter[object], Counter[object]]:
    out = Counter((e.source, e.predicate) for e in subgraph.edges)
    into = Counter((e.target, e.predicate) for e in subgraph.edges)
    return out, into  # type: ignore[return-value]


def test_rewiring_a_subgraph_keeps_nodes_seeds_degrees_and_predicates(bundle: Bundle, findings: list[Finding]) -> None:
    subgraph = Retriever(bundle).retrieve(findings, "1")
    changed = [rewire(subgraph, seed) for seed in range(6)]
    for rewired in changed:
        assert (rewired.nodes, rewired.seeds, rewired.categories) == (
            subgraph.nodes,
            subgraph.seeds,
            subgraph.categories,
        )
        assert degrees(rewired) == degrees(subgraph)
        held = {edge.statement for edge in rewired.edges}
        assert all(statement.startswith("R") for statement in held)
        assert all(held.issuperset(path.statements) for path in rewired.paths)
        assert rewire(subgraph, changed.index(rewired)) == rewired or rewired in changed
    assert any(candidate_scores(rewired) != candidate_scores(subgraph) for rewired in changed)
    assert rewire(subgraph, 3) == rewire(subgraph, 3)


def test_rewiring_the_graph_keeps_degrees_by_predicate(bundle: Bundle) -> None:
    core = make_core(load_snapshot(bundle), ["CCS:108", "CCS:122", "CCS:100", "CCS:157", "CCS:249"])
    rewired = rewire_triples(list(core.triples), 1)
    for ends in ("subject", "object"):
        before = Counter((t.predicate, getattr(t, ends)) for t in core.triples)
        assert Counter((t.predicate, getattr(t, ends)) for t in rewired) == before
    assert {(t.subject, t.object) for t in rewired} != {(t.subject, t.object) for t in core.triples}
    assert rewire_triples(list(core.triples), 1) == rewired


def test_a_rewired_retriever_gives_the_same_seeds_and_other_paths(bundle: Bundle, findings: list[Finding]) -> None:
    true = Retriever(bundle).retrieve(findings, "1")
    false = [Retriever(bundle, rewired_seed=seed).retrieve(findings, "1") for seed in range(3)]
    assert all(subgraph.seeds == true.seeds for subgraph in false)
    assert any(candidate_scores(subgraph) != candidate_scores(true) for subgraph in false)
    assert all(e.statement.startswith("R") for subgraph in false for e in subgraph.edges)


def test_other_patient_is_never_the_same(bundle: Bundle, findings: list[Finding]) -> None:
    retriever = Retriever(bundle)
    subgraphs = {str(i): retriever.retrieve(findings[i:], str(i)) for i in range(7)}
    for seed in range(10):
        exchanged = other_patient(subgraphs, seed)
        assert set(exchanged) == set(subgraphs)
        assert all(s.admission_id == receiver for receiver, s in exchanged.items())
        assert all(s.seeds != subgraphs[receiver].seeds for receiver, s in exchanged.items())
        assert sorted(len(s.seeds) for s in exchanged.values()) == sorted(len(s.seeds) for s in subgraphs.values())
    with pytest.raises(InputError, match="two or more"):
        other_patient({"0": subgraphs["0"]}, 0)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("uvwxyz")), unique=True), st.integers(0, 99))
def test_permuted_objects_are_the_same_objects(pairs: list[tuple[str, str]], seed: int) -> None:
    import numpy as np

    subjects, objects = [a for a, _ in pairs], [b for _, b in pairs]
    assert sorted(permuted_objects(subjects, objects, np.random.default_rng(seed))) == sorted(objects)

"""What is made for many patients together equals what the rules say for one alone."""

from __future__ import annotations

from random import Random

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kg.bundle import Bundle
from kg.retrieve import METHODS, Retriever
from kg.retrieve import retriever as retriever_module
from kg.retrieve.pagerank import neighbours_together, personalised_pagerank, transition, walks_from
from kg.retrieve.paths import rounded
from kg.retrieve.snapshot import Snapshot, snapshot_of
from kg.retrieve.snapshot_files import load_snapshot
from kg.retrieve.table import SCHEMA, to_frame
from kg.types import Finding, PatientSubgraph
from kg.vocabulary import Category, Predicate
from tests.kg.retrieve.conftest import CONCEPTS, FINDINGS
from tests.kg.retrieve.plain import Plain, Statement

TERMS = [f"HP:{i:07}" for i in range(1, 15)]
DISEASES = ["CCS:108", "CCS:122", "CCS:100", "CCS:157"]
SERIES, DRUGS, HABITS, RARE = ["LOINC:1-1", "LOINC:2-2"], ["RXNORM:1", "RXNORM:2"], ["CRG:smoke"], ["OMIM:1"]
KINDS = {
    **dict.fromkeys(TERMS, Category.PHENOTYPE),
    **dict.fromkeys(DISEASES + RARE, Category.DISEASE),
    **dict.fromkeys(SERIES, Category.MEASUREMENT),
    **dict.fromkeys(DRUGS, Category.DRUG),
    **dict.fromkeys(HABITS, Category.EXPOSURE),
}
K = Predicate


SHAPES = [
    (TERMS, K.SUBCLASS_OF, TERMS, 10),
    (DISEASES + RARE, K.HAS_PHENOTYPE, TERMS, 14),
    (DISEASES, K.HAS_COMPLICATION, DISEASES + TERMS, 8),
    (DISEASES, K.HAS_HIGH_MEASUREMENT, SERIES, 3),
    (DISEASES, K.HAS_LOW_MEASUREMENT, SERIES, 3),
    (SERIES, K.HIGH_INDICATES, TERMS, 2),
    (SERIES, K.LOW_INDICATES, TERMS, 2),
    (HABITS + TERMS, K.PREDISPOSES_TO, DISEASES, 8),
    (DRUGS, K.TREATS, DISEASES, 4),
    (DRUGS, K.RELATED_TO, DRUGS, 2),
    (DISEASES, K.CLOSE_MATCH, TERMS, 4),
    (DISEASES, K.DIFFERENTIAL_WITH, DISEASES, 3),
]
"""Subjects, predicate, objects, and how many statements are drawn at most (per unit of density)."""


def statements(random: Random) -> list[Statement]:
    """Draw a graph, from empty to dense; few weights, so that scores are often equal."""
    density = random.choice([0.0, 0.5, 1.0, 2.0, 4.0])
    found: dict[tuple[str, str, str], Statement] = {}
    for subjects, predicate, objects, most in SHAPES:
        for _ in range(round(density * random.randint(0, most))):
            one, other = random.choice(subjects), random.choice(objects)
            if one != other:
                name = f"S{random.randrange(10**6):06}-{len(found)}"
                weight = random.choice([0.0, 0.3, 0.5, 0.7, 1.0, 1.0])
                found[one, predicate.value, other] = (one, other, predicate, name, weight)
    return list(found.values())


def finding(random: Random) -> Finding:
    concept = random.choice([*TERMS, *TERMS, *SERIES, *SERIES, *DRUGS, *HABITS, *DISEASES, "HP:9999999"])
    flags = [random.random() < share for share in (0.15, 0.1, 0.05, 0.1)]
    return Finding(
        "1",
        concept,
        random.choice(["note", "lab", "vital", "medication"]),
        *flags,
        code=concept if random.random() < 0.6 else random.choice([None, *SERIES]),
        direction=random.choice(["high", "low", None]),
        weight=random.choice([0.0, 0.4, 0.8, 1.0, 1.0]),
    )


def patients_of(random: Random) -> list[tuple[str, list[Finding], str]]:
    return [
        (str(at), [finding(random) for _ in range(random.choice([0, 3, 12, 40]))], random.choice(["all", "labs"]))
        for at in range(random.randint(0, 4))
    ]


RANDOM = st.integers(0, 2**32).map(Random)


def snapshot(graph: list[Statement]) -> Snapshot:
    concepts = pl.DataFrame(
        {"id": list(KINDS), "category": [kind.value for kind in KINDS.values()], "deprecated": [False] * len(KINDS)}
    )
    schema = {"id": pl.String, "subject": pl.String, "object": pl.String, "predicate": pl.String}
    rows = [(i, s, o, p.value, False, w) for s, o, p, i, w in graph]  # type: ignore[attr-defined]
    table = pl.DataFrame(rows, schema={**schema, "negated": pl.Boolean, "weight": pl.Float64}, orient="row")
    return snapshot_of(concepts.lazy(), table.lazy())


def same(one: PatientSubgraph, other: PatientSubgraph) -> None:
    """Compare part by part, so that a failure says what differs."""
    for name in ("nodes", "seeds", "paths", "scores", "edges"):
        assert getattr(one, name) == getattr(other, name), name
    assert one == other


@settings(max_examples=50, deadline=None)
@given(RANDOM, st.sampled_from([33, 36, 40, 64]))
def test_equals_the_rules_followed_one_by_one(random: Random, nodes: int) -> None:
    graph, patients = statements(random), patients_of(random)
    retriever = Retriever(snapshot(graph), nodes=nodes)
    plain = Plain(retriever.core, graph, nodes)
    found = retriever.retrieve_many(patients)
    assert len(found) == len(patients)
    for (admission, findings, mode), subgraph in zip(patients, found, strict=True):
        same(subgraph, plain.subgraph(findings, admission, mode))
    assert retriever.retrieve_table(patients).equals(to_frame(found))


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=10, deadline=None)
@given(RANDOM, st.sampled_from([None, 3]))
def test_a_batch_equals_one_by_one_by_every_method(method: str, random: Random, rewired: int | None) -> None:
    graph, patients = snapshot(statements(random)), patients_of(random)
    together = Retriever(graph, nodes=36, method=method, rewired_seed=rewired)
    for (admission, findings, mode), subgraph in zip(patients, together.retrieve_many(patients), strict=True):
        alone = Retriever(graph, nodes=36, method=method, rewired_seed=rewired)
        same(alone.retrieve(findings, admission, mode), subgraph)
        same(together.retrieve(findings, admission, mode), subgraph)


@pytest.mark.parametrize("method", METHODS)
def test_rows_are_those_of_the_objects(bundle: Bundle, method: str) -> None:
    retriever = Retriever(bundle, method=method)
    patients = [(str(i), FINDINGS[i % 5 :], mode) for i in range(130) for mode in ("all", "labs")]
    frame = retriever.retrieve_table([*patients, ("none", [], "all")])
    assert frame.schema == pl.Schema(SCHEMA)
    assert frame.equals(to_frame(retriever.retrieve_many([*patients, ("none", [], "all")])))
    assert retriever.retrieve_table([]).equals(to_frame([])) and retriever.retrieve_many([]) == []


def test_what_is_kept_is_bounded_and_changes_nothing(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    patients = [
        (concept + str(weight), [Finding("1", concept, "note", weight=weight), *FINDINGS], "all")
        for concept in CONCEPTS
        for weight in (0.2, 0.5, 0.9)
    ]
    whole = Retriever(bundle).retrieve_many(patients)
    monkeypatch.setattr(retriever_module, "_AT_ONCE", 7)
    monkeypatch.setattr(retriever_module, "_HELD", 5)
    monkeypatch.setattr("kg.retrieve.walks._CACHED", 9)
    monkeypatch.setattr("kg.retrieve.path_store._HELD", 3)
    monkeypatch.setattr("kg.retrieve.columns._HELD", 3)
    monkeypatch.setattr("kg.retrieve.path_table._MOST", 0)
    assert Retriever(load_snapshot(bundle)).retrieve_many(patients) == whole


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19), st.floats(0.01, 1)), max_size=60), st.data())
def test_walks_are_personalised_pagerank_to_the_last_bit(
    ties: list[tuple[int, int, float]], data: st.DataObject
) -> None:
    from scipy import sparse

    rows, columns, values = zip(*ties, strict=True) if ties else ((), (), ())
    half = sparse.csr_matrix((values, (rows, columns)), shape=(20, 20), dtype=np.float64)
    transposed, dangling = transition(sparse.csr_matrix(half + half.T))
    live = np.flatnonzero(~dangling)
    if not len(live):
        return
    starts = np.array(data.draw(st.lists(st.integers(0, len(live) - 1), min_size=1, max_size=5)))
    seeds = np.zeros((20, len(starts)))
    seeds[live[starts], np.arange(len(starts))] = 1
    expected = personalised_pagerank(transposed, dangling, seeds, damping=0.5, iterations=24)
    matrix, order = neighbours_together(transposed[live][:, live])
    place = np.argsort(order)
    found = walks_from(matrix, place[starts], damping=0.5, iterations=24)
    assert (found[place] == expected[live]).all() and (expected[dangling] == 0).all()


@given(st.lists(st.one_of(st.floats(0, 2), st.integers(0, 4_000_000).map(lambda i: i / 2e6))))
def test_rounding_of_arrays_is_python_s(values: list[float]) -> None:
    assert rounded(np.array(values, dtype=np.float64)).tolist() == [round(value, 6) for value in values]

"""Subgraphs: who is in, which paths speak for whom, and what must not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ehr.errors import InputError
from ehr.phenotypes import load_phenotypes
from kg.bundle import Bundle
from kg.retrieve import Retriever, candidate_scores, edge_count, explain
from kg.types import EvidencePath, Finding, PatientSubgraph
from kg.vocabulary import Predicate

EDEMA, LEGS, FEET, DYSPNEA, EXERTION = "HP:0000969", "HP:0010741", "HP:0012098", "HP:0002094", "HP:0002875"
FEVER, CRACKLES, INFARCTION, NSTEMI = "HP:0001945", "HP:0030830", "HP:0001658", "HP:0001659"
HEART, LUNG, ATTACK, KIDNEY, SHOCK = "CCS:108", "CCS:122", "CCS:100", "CCS:157", "CCS:249"
BNP, CREATININE, HIGH_CREATININE = "LOINC:33762-6", "LOINC:2160-0", "HP:0003259"
SMOKING, FUROSEMIDE = "CRG:tobacco_use", "RXNORM:4603"


@pytest.fixture(scope="module")
def retriever(bundle: Bundle) -> Retriever:
    return Retriever(bundle)


def one(concept: str, **fields: object) -> Finding:
    return Finding("1", concept, str(fields.pop("origin", "note")), **fields)  # type: ignore[arg-type]


def paths(subgraph: PatientSubgraph, seed: str, candidate: str) -> list[EvidencePath]:
    return [p for p in subgraph.paths if (p.seed, p.candidate) == (seed, candidate)]


def meta(retriever: Retriever, *findings: Finding) -> set[tuple[str, str, str]]:
    found = retriever.retrieve(findings, "1").paths
    return {(p.seed, p.meta_path, p.candidate) for p in found}


def test_all_candidates_and_seeds_are_in_and_the_budget_holds(retriever: Retriever, findings: list[Finding]) -> None:
    subgraph = retriever.retrieve(findings, "1")
    assert set(load_phenotypes().ids) <= set(subgraph.nodes)
    assert {f.concept for f in findings} <= set(subgraph.nodes)
    assert len(set(subgraph.nodes)) == len(subgraph.nodes) <= 64
    assert len(subgraph.nodes) == len(subgraph.categories) == len(subgraph.scores)
    assert all(0 <= score <= 1 for score in subgraph.scores)
    assert "OMIM:1" not in subgraph.nodes and "HP:0000002" not in subgraph.nodes


def test_every_edge_and_path_rests_on_statements_of_the_bundle(
    retriever: Retriever, findings: list[Finding], bundle: Bundle
) -> None:
    subgraph = retriever.retrieve(findings, "1")
    known = {row["id"]: row for row in bundle.statements.collect().iter_rows(named=True)}
    for edge in subgraph.edges:
        row = known[edge.statement]
        ends = (subgraph.nodes[edge.source], edge.predicate.value, subgraph.nodes[edge.target])
        assert ends == (row["subject"], row["predicate"], row["object"]) and not row["negated"]
    held = {edge.statement for edge in subgraph.edges}
    for path in subgraph.paths:
        assert len(path.nodes) == len(path.statements) + 1 and held.issuperset(path.statements)
        assert path.nodes[0] == path.seed and path.nodes[-1] == path.candidate
        for a, b, statement in zip(path.nodes, path.nodes[1:], path.statements, strict=False):
            assert {a, b} == {known[statement]["subject"], known[statement]["object"]}


def test_typed_meta_paths(retriever: Retriever) -> None:
    assert (LEGS, "phenotype", HEART) in meta(retriever, one(LEGS))
    assert (FEET, "specific", HEART) in meta(retriever, one(FEET))
    assert (EDEMA, "general", HEART) in meta(retriever, one(EDEMA))
    assert (NSTEMI, "named", ATTACK) in meta(retriever, one(NSTEMI))
    assert (SMOKING, "risk", ATTACK) in meta(retriever, one(SMOKING))
    assert (FUROSEMIDE, "treatment", HEART) in meta(retriever, one(FUROSEMIDE, origin="medication"))
    high = one(BNP, origin="lab", code=BNP, direction="high")
    assert meta(retriever, high) == {(BNP, "measurement", HEART)}, "a low value would speak for shock"
    assert meta(retriever, replace(high, direction="low")) == {(BNP, "measurement", SHOCK)}
    assert (HIGH_CREATININE, "measurement", KIDNEY) in meta(retriever, one(HIGH_CREATININE))
    assert ("CCS:108", "named", HEART) in meta(retriever, one(HEART))


def test_what_must_not_speak(retriever: Retriever) -> None:
    assert not meta(retriever, one(FEVER)) & {(FEVER, "phenotype", SHOCK)}, "a negated statement"
    assert {c for _, _, c in meta(retriever, one(FUROSEMIDE, origin="medication"))} == {HEART}, "no way through a drug"
    assert meta(retriever, one("HP:0000118")) == set(), "what everything is below says nothing"
    assert meta(retriever, one(FEVER, negated=True)) == set()
    assert meta(retriever, one(FEVER, hypothetical=True)) == set()
    assert meta(retriever, one(FEVER, family=True)) == set()
    assert meta(retriever, one(FEVER, historical=True)) == set(), "a past fever is no sign of today's pneumonia"
    assert (SMOKING, "risk", ATTACK) in meta(retriever, one(SMOKING, historical=True))
    assert meta(retriever, one("HP:9999999")) == set()


def test_denied_findings_are_nodes_without_score(retriever: Retriever, findings: list[Finding]) -> None:
    subgraph = retriever.retrieve(findings, "1")
    (denied,) = [seed for seed in subgraph.seeds if seed.state == "denied"]
    assert denied.concept == FEVER and denied.weight == 0 and FEVER in subgraph.nodes
    without = retriever.retrieve([f for f in findings if f.concept != FEVER], "1")
    assert candidate_scores(without) == candidate_scores(subgraph)
    both = retriever.retrieve([*findings, one(FEVER)], "1")
    assert next(s for s in both.seeds if s.concept == FEVER).state == "present"


def test_labs_mode_starts_from_labs_alone(retriever: Retriever, findings: list[Finding]) -> None:
    subgraph = retriever.retrieve(findings, "1", "labs")
    assert {seed.concept for seed in subgraph.seeds} == {BNP, HIGH_CREATININE}
    assert {path.seed for path in subgraph.paths} <= {BNP, HIGH_CREATININE}
    with pytest.raises(InputError, match="unknown mode"):
        retriever.retrieve(findings, "1", "notes")


def test_measurements_of_the_other_direction_are_left_out(retriever: Retriever, findings: list[Finding]) -> None:
    subgraph = retriever.retrieve(findings, "1")
    kinds = {(subgraph.nodes[e.source], e.predicate) for e in subgraph.edges if subgraph.nodes[e.target] == BNP}
    assert kinds == {(HEART, Predicate.HAS_HIGH_MEASUREMENT)}


def test_the_intermediate_terms_of_a_path_are_nodes(retriever: Retriever) -> None:
    subgraph = retriever.retrieve([one(FEET)], "1")
    (path,) = [p for p in paths(subgraph, FEET, HEART) if p.meta_path == "specific"]
    assert path.nodes == (FEET, LEGS, HEART) and LEGS in subgraph.nodes


def test_a_strongly_supported_disease_speaks_for_its_complication(
    retriever: Retriever, findings: list[Finding]
) -> None:
    found = [f for f in findings if f.concept not in (HIGH_CREATININE, BNP)]
    subgraph = retriever.retrieve(found, "1")
    (path,) = [p for p in subgraph.paths if p.candidate == KIDNEY]
    assert path.meta_path == "underlying" and path.nodes[-2:] == (HEART, KIDNEY)
    assert candidate_scores(subgraph)[KIDNEY] < 0.3 * candidate_scores(subgraph)[HEART]


def test_exact_beats_specific_beats_general_and_hubs_are_damped(retriever: Retriever) -> None:
    found = [retriever.retrieve([one(c)], "1") for c in (LEGS, FEET, EDEMA)]
    scores = [candidate_scores(s)[HEART] / s.seeds[0].weight for s in found]
    assert scores == sorted(scores, reverse=True) and len(set(scores)) == 3
    crackles = retriever.retrieve([one(CRACKLES)], "1")
    (path,) = paths(crackles, CRACKLES, HEART)
    assert path.score == pytest.approx(crackles.seeds[0].weight * 0.6 / 2, abs=1e-5)


def test_scores_rank_the_disease_that_the_findings_fit(retriever: Retriever, findings: list[Finding]) -> None:
    subgraph = retriever.retrieve(findings, "1")
    for scores in (candidate_scores(subgraph), edge_count(subgraph)):
        assert max(scores, key=lambda c: scores[c]) == HEART
    counts = edge_count(retriever.retrieve([one(LEGS), one(LEGS), one(CRACKLES)], "1"))
    assert counts == {HEART: pytest.approx(1.3), LUNG: pytest.approx(0.6)}


def test_no_findings_still_give_the_candidates(retriever: Retriever) -> None:
    subgraph = retriever.retrieve([], "1")
    assert set(subgraph.nodes) == set(load_phenotypes().ids) and not subgraph.paths and not subgraph.seeds
    assert candidate_scores(subgraph) == edge_count(subgraph) == {}


def test_batches_threads_and_order_change_nothing(bundle: Bundle, findings: list[Finding]) -> None:
    many = [(str(i), findings[i % 3 :], mode) for i in range(7) for mode in ("all", "labs")]
    together = Retriever(bundle).retrieve_many(many)
    for (admission, found, mode), subgraph in reversed(list(zip(many, together, strict=True))):
        assert Retriever(bundle).retrieve(found[::-1], admission, mode) == subgraph


def test_a_small_budget_keeps_the_candidates_and_drops_broken_paths(bundle: Bundle, findings: list[Finding]) -> None:
    subgraph = Retriever(bundle, nodes=33).retrieve([*findings, one(FEET), one(NSTEMI), one(INFARCTION)], "1")
    assert len(subgraph.nodes) == 33
    assert all(set(path.nodes) <= set(subgraph.nodes) for path in subgraph.paths)
    with pytest.raises(InputError, match="too few"):
        Retriever(bundle, nodes=30)


def test_explanation_names_findings_path_and_sources(
    retriever: Retriever, findings: list[Finding], bundle: Bundle
) -> None:
    rows = explain(retriever.retrieve(findings, "1"), bundle)
    assert rows[0]["rank"] == 1 and rows[0]["name"] == "Congestive heart failure"
    assert {"finding", "path", "statements", "sources", "meta_path", "state"} <= set(rows[0])
    assert any(row["path"] == "Pedal edema > Congestive heart failure" for row in rows)

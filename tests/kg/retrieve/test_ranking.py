"""All diseases ranked: which findings speak for which, and what the ranking must not depend on."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ehr.phenotypes import load_phenotypes
from kg.bundle import Bundle
from kg.retrieve import DiseaseRanker
from kg.retrieve.core import make_core
from kg.retrieve.ranking import Weights, ranks_of
from kg.retrieve.snapshot_files import load_snapshot
from kg.types import Finding
from tests.kg.retrieve.conftest import CONCEPTS, FINDINGS

PLAIN = Weights(
    **{f.name: 1.0 for f in fields(Weights)} | {"denied": 0.0, "voice": 0.0, "size": 0.0, "underlying": 0.0}
)


@pytest.fixture(scope="module")
def ranker(bundle: Bundle) -> DiseaseRanker:
    return DiseaseRanker(make_core(load_snapshot(bundle), load_phenotypes().ids))


def one(concept: str, **told: object) -> Finding:
    return Finding("1", concept, "note", **told)  # type: ignore[arg-type]


def score(ranker: DiseaseRanker, *findings: Finding) -> dict[str, float]:
    row = ranker.scores([findings])[0]
    return {disease: float(value) for disease, value in zip(ranker.ids, row, strict=True) if value}


def test_every_disease_is_ranked_not_the_candidates_alone(ranker: DiseaseRanker) -> None:
    plain = ranker.with_weights(PLAIN)
    assert "OMIM:1" in ranker.ids
    assert set(score(plain, one("HP:0001945"))) == {"OMIM:1", "CCS:122"}, "fever; shock has it negated"
    assert set(score(plain, one("HP:0010741"))) == {"CCS:108", "OMIM:1"}, "exact, and as a kind of edema"


def test_typed_ways(ranker: DiseaseRanker) -> None:
    plain = ranker.with_weights(PLAIN)
    assert score(plain, one("CRG:tobacco_use", historical=True)) == {"CCS:100": 0.25}
    assert set(score(plain, one("RXNORM:4603"))) == {"CCS:108"}
    assert set(score(plain, one("HP:0001659"))) == {"CCS:100"}, "a kind of what the disease is matched with"
    assert set(score(plain, one("HP:0003259"))) == {"CCS:157"}, "what a high creatinine means"
    high = replace(one("LOINC:33762-6"), origin="lab", code="LOINC:33762-6", direction="high")
    assert set(score(plain, high)) == {"CCS:108"}
    assert set(score(plain, replace(high, direction="low"))) == {"CCS:249"}
    assert score(plain, replace(high, direction="rising")) == {}, "no statement speaks of a trend"
    assert score(plain, one("HP:0001945", historical=True)) == score(plain, one("HP:0001945", family=True)) == {}
    assert score(plain, one("HP:0001945", hypothetical=True)) == score(plain, one("HP:7777777")) == {}


def test_denied_findings_are_negative_evidence_and_reach_down(ranker: DiseaseRanker) -> None:
    strict = ranker.with_weights(replace(PLAIN, denied=1.0))
    assert score(strict, one("HP:0000969", negated=True))["CCS:108"] < 0, "no edema: none of the legs"
    assert "CCS:108" not in score(strict, one("HP:0012098", negated=True)), "no edema of the feet: maybe of the legs"
    assert score(ranker.with_weights(PLAIN), one("HP:0000969", negated=True)) == {}


def test_a_disease_lends_to_what_it_leads_to(ranker: DiseaseRanker) -> None:
    found = score(ranker.with_weights(replace(PLAIN, underlying=0.5)), one("HP:0010741"))
    assert found["CCS:157"] == pytest.approx(0.5 * 0.4 * found["CCS:108"], abs=1e-6)


def test_shared_voice_and_size(ranker: DiseaseRanker) -> None:
    alone, shared = (score(ranker.with_weights(replace(PLAIN, voice=v)), one("HP:0030830")) for v in (0.0, 1.0))
    assert shared["CCS:108"] == pytest.approx(alone["CCS:108"] / 2)
    sized = score(ranker.with_weights(replace(PLAIN, size=1.0)), one("HP:0030830"))
    assert sized["CCS:108"] < sized["CCS:122"], "more is stated of heart failure"


def test_ranks_count_ties_and_silent_diseases_against_the_method() -> None:
    scores = np.array([3.0, 1.0, 1.0, 0.0])
    columns = {"a": 0, "b": 1, "c": 2, "d": 3}
    assert ranks_of(scores, columns, ["a", "b", "d", "e"], silent=10) == {"a": 1, "b": 3, "d": 14, "e": 14}


CONCEPT = st.sampled_from(sorted(CONCEPTS))
FINDING = st.builds(
    lambda concept, negated, historical: one(concept, negated=negated, historical=historical),
    CONCEPT,
    st.booleans(),
    st.booleans(),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(FINDING, max_size=6), min_size=1, max_size=4), st.randoms())
def test_order_and_company_change_nothing(ranker: DiseaseRanker, patients: list[list[Finding]], random: object) -> None:
    together = ranker.scores(patients)
    for row, findings in zip(together, patients, strict=True):
        mixed = list(findings)
        random.shuffle(mixed)  # type: ignore[attr-defined]
        assert np.array_equal(ranker.scores([mixed])[0], row)
    assert np.isfinite(together).all()
    fresh = DiseaseRanker(ranker.core)
    assert np.array_equal(fresh.scores(patients), together)


def test_evidence_for_one_disease_leaves_it_first(ranker: DiseaseRanker) -> None:
    row = ranker.scores([FINDINGS])[0]
    assert ranker.ids[int(row.argmax())] == "CCS:108"

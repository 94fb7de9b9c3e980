from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.data import read_rationales
from distill.rationale import Problem, format_target, verify
from distill.teachers import GraphTeacher, concept_names, teach
from distill.teachers.graph import Case
from distill.teachers.sentences import format_value, in_sentence
from distill.teachers.support import SupportIndex
from distill.types import Rationale, RationaleSentence
from ehr.errors import InputError
from kg.link import findings_of
from kg.retrieve import subgraphs_of
from kg.types import EvidencePath, Finding
from kg.vocabulary import Predicate
from tests.distill.rationale_cases import (
    AKI,
    BLEED,
    CREATININE,
    DIABETES,
    FINDINGS,
    HEMATEMESIS,
    HEMOGLOBIN,
    KIDNEY,
    MELENA,
    METFORMIN,
    NAMES,
    PRESSURE,
    SHOCK,
    STATEMENTS,
    TACHYCARDIA,
    ULCER,
    UNDERLYING,
    A,
    subgraph,
)
from tests.distill.tiny_cohort import tiny_cohort

ALL = (BLEED, KIDNEY, DIABETES, SHOCK, PRESSURE)
CASE = Case(A, ALL, FINDINGS, subgraph(), NAMES)
RULES = {key: value for key, value in NAMES.items() if key in ALL}


def by_disease(rationale: Rationale) -> dict[tuple[str | None, str], RationaleSentence]:
    return {(sentence.disease, sentence.part): sentence for sentence in rationale.sentences}


@given(st.integers(0, 10_000))
def test_every_sentence_holds_against_the_subgraph(seed: int) -> None:
    rationale = GraphTeacher(seed=seed).explain(CASE)
    assert verify(rationale, FINDINGS, subgraph(), NAMES) == []
    assert rationale == GraphTeacher(seed=seed).explain(CASE)
    assert len(format_target(rationale, RULES).split()) <= 60


def test_strongest_findings_are_cited_with_the_statements_that_lead_there() -> None:
    told = by_disease(GraphTeacher().explain(CASE))
    bleed = told[BLEED, "note"]
    assert bleed.findings == (MELENA, HEMATEMESIS)
    assert set(bleed.statements) == {STATEMENTS[BLEED, Predicate.HAS_PHENOTYPE, f] for f in (MELENA, HEMATEMESIS)}
    assert "elena and hematemesis" in bleed.text and NAMES[BLEED] in bleed.text
    assert told[BLEED, "lab"].findings == (HEMOGLOBIN,) and "6.1 g/dL at hour 2" in told[BLEED, "lab"].text
    assert told[KIDNEY, "lab"].findings == (CREATININE,) and "3.14 mg/dL at hour 6" in told[KIDNEY, "lab"].text
    assert told[DIABETES, "note"].findings == (METFORMIN,)


def test_phrasings_vary_with_the_seed() -> None:
    texts = {GraphTeacher(seed=seed).explain(CASE).part("note") for seed in range(20)}
    assert len(texts) > 5


def test_what_the_graph_does_not_explain_is_said_so() -> None:
    told = by_disease(GraphTeacher().explain(CASE))
    # The only finding of shock was denied; hypertension has none.
    for disease in (SHOCK, PRESSURE):
        sentence = told[disease, "note"]
        assert sentence.findings == () and sentence.statements == ()
        assert "no finding" in sentence.text.lower()
        assert (disease, "lab") not in told


def test_denied_findings_never_support() -> None:
    index = SupportIndex(subgraph(), FINDINGS)
    assert index.of(SHOCK) == []
    present = [replace(f, negated=False) if f.concept == TACHYCARDIA else f for f in FINDINGS]
    assert [s.finding.concept for s in SupportIndex(subgraph(), present).of(SHOCK)] == [TACHYCARDIA]


def test_history_is_a_risk_and_no_sign() -> None:
    index = SupportIndex(subgraph(), FINDINGS)
    (ulcer,) = [s for s in index.of(BLEED) if s.finding.concept == ULCER]
    assert ulcer.kind == "risk"
    historical = [replace(f, historical=True) for f in FINDINGS if f.concept == MELENA]
    assert SupportIndex(subgraph(), historical).of(BLEED) == []


def test_a_high_value_is_no_evidence_for_what_lowers_it() -> None:
    high = [replace(f, direction="high") for f in FINDINGS if f.concept == HEMOGLOBIN]
    assert SupportIndex(subgraph(), high).of(BLEED) == []


def test_a_measured_term_reaches_the_disease_through_its_series() -> None:
    kidney = Finding(A, AKI, "lab", code=CREATININE, direction="high", value=3.1, unit="mg/dL", hours=1.0)
    (support,) = SupportIndex(subgraph(), [kidney]).of(KIDNEY)
    assert support.finding.concept == AKI
    case = replace(CASE, diseases=(KIDNEY,), findings=[kidney])
    rationale = GraphTeacher().explain(case)
    assert verify(rationale, [kidney], subgraph(), NAMES) == []
    assert "creatinine" in rationale.part("lab").lower()


def test_what_leads_through_another_disease_is_told_so() -> None:
    graph = subgraph(more=(UNDERLYING,))
    case = replace(CASE, diseases=(SHOCK,), subgraph=graph)
    (sentence,) = GraphTeacher().explain(case).sentences
    assert sentence.findings == (MELENA,) and len(sentence.statements) == 2
    assert NAMES[BLEED] in sentence.text and sentence.text.endswith("shock.")
    assert verify(Rationale((SHOCK,), (sentence,)), FINDINGS, graph, NAMES) == []


def test_attended_findings_come_first() -> None:
    case = replace(CASE, diseases=(BLEED,), weights={BLEED: {HEMATEMESIS: 0.9}})
    assert GraphTeacher().explain(case).sentences[0].findings == (HEMATEMESIS, MELENA)


def test_a_path_through_something_that_is_no_edge_is_not_used() -> None:
    foreign = EvidencePath(SHOCK, MELENA, "phenotype", (MELENA, SHOCK), ("S-not-there",), 0.9)
    broken = replace(subgraph(), paths=(foreign,))
    assert SupportIndex(broken, FINDINGS).of(SHOCK) == []


PROBLEMS = [
    ({"part": "plan"}, "part"),
    ({"disease": "CCS:1"}, "disease"),
    ({"findings": (HEMATEMESIS, "HP:9999999")}, "finding"),
    ({"findings": (TACHYCARDIA,)}, "state"),
    ({"findings": (CREATININE,)}, "finding"),
    ({"statements": ("S123",)}, "statement"),
    ({"statements": (STATEMENTS[KIDNEY, Predicate.CLOSE_MATCH, AKI],)}, "no_path"),
    ({"statements": ()}, "no_evidence"),
    ({"findings": ()}, "no_evidence"),
    ({"text": "Melena 7 times points to gastrointestinal hemorrhage."}, "number"),
    ({"text": "Melena points to shock."}, "other_disease"),
]


@pytest.mark.parametrize(("change", "kind"), PROBLEMS)
def test_a_sentence_that_does_not_hold_is_found_out(change: dict[str, object], kind: str) -> None:
    sound = by_disease(GraphTeacher().explain(replace(CASE, diseases=(BLEED,))))[BLEED, "note"]
    broken = replace(sound, **change)  # type: ignore[arg-type]
    found = verify(Rationale((BLEED,), (broken,)), FINDINGS, subgraph(), NAMES)
    assert kind in {problem.kind for problem in found}
    assert all(isinstance(problem, Problem) and problem.sentence == 0 for problem in found)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Normal creatinine fits acute and unspecified renal failure.", "normal"),
        ("Low creatinine fits acute and unspecified renal failure.", "direction"),
        ("High creatinine (9.9 mg/dL at hour 6) fits acute and unspecified renal failure.", "number"),
    ],
)
def test_labs_are_told_as_measured(text: str, kind: str) -> None:
    sound = by_disease(GraphTeacher().explain(CASE))[KIDNEY, "lab"]
    found = verify(Rationale(ALL, (replace(sound, text=text),)), FINDINGS, subgraph(), NAMES)
    assert [problem.kind for problem in found] == [kind]


def test_rounding_is_no_invention() -> None:
    sound = by_disease(GraphTeacher().explain(CASE))[KIDNEY, "lab"]
    text = "High creatinine (3.1 mg/dL at hour 6) fits acute and unspecified renal failure."
    assert verify(Rationale(ALL, (replace(sound, text=text),)), FINDINGS, subgraph(), NAMES) == []


def test_names_and_values_read_well() -> None:
    assert [in_sentence(n) for n in ("Melena", "pH of blood", "Babinski sign", "COPD", "Shock, cold")] == [
        "melena",
        "pH of blood",
        "Babinski sign",
        "COPD",
        "shock, cold",
    ]
    assert [format_value(v) for v in (0.0, 38.0, 7.35, 151.6, 0.01)] == ["0", "38", "7.35", "152", "0.01"]


def test_a_cohort_gets_rationales_for_every_split_once(tiny_world: tuple, tmp_path: Path) -> None:
    bundle, _ = tiny_world
    cohort = tiny_cohort(tmp_path / "cohort", admissions=20)
    counts = teach(cohort, bundle, seed=3)
    rationales = read_rationales(cohort)
    assert set(rationales) == set(cohort.ids()) and counts["admissions"] == 20
    findings, subgraphs, names = findings_of(cohort), subgraphs_of(cohort), concept_names(bundle)
    for key, rationale in rationales.items():
        assert set(rationale.diseases) == set(cohort.admission(key).labels)
        assert verify(rationale, findings[key], subgraphs[key], names) == []
    path = cohort.table_path("rationales")
    before = (path.stat().st_mtime_ns, path.read_bytes())
    assert teach(cohort, bundle, seed=3) == counts
    assert (path.stat().st_mtime_ns, path.read_bytes()) == before
    teach(cohort, bundle, seed=4)
    assert path.read_bytes() != before[1]


def test_an_unknown_teacher_is_refused(tiny_world: tuple) -> None:
    bundle, cohort = tiny_world
    with pytest.raises(InputError, match="unknown teacher 'oracle'"):
        teach(cohort, bundle, teacher="oracle")


def test_subgraphs_of_another_graph_are_refused(tiny_world: tuple, tmp_path: Path) -> None:
    bundle, _ = tiny_world
    cohort = tiny_cohort(tmp_path / "cohort", admissions=4)
    cohort.write_table("subgraphs", cohort.table("subgraphs"), "other", graph="another")
    with pytest.raises(InputError, match="subgraphs were made with another graph"):
        teach(cohort, bundle)

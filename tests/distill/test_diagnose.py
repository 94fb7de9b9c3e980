from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from distill.admission_input import parse_admission
from distill.diagnose import diagnose, diagnose_admissions, evidence_parameters
from distill.rationale import ToldSentence
from distill.recorded import FILE, read_recorded, record, run_name, run_salt, store_recorded
from distill.run import Run
from ehr.errors import InputError
from kg.stores import open_store
from kg.types import Finding
from tests.distill.tiny_cohort import finding_id, finding_name


@pytest.fixture
def own_run(tiny_run: Run, tmp_path: Path) -> Run:
    """A copy of the run's small files, so that what is written stays with the test."""
    path = tmp_path / "run"
    path.mkdir()
    for entry in tiny_run.path.iterdir():
        (path / entry.name).symlink_to(entry)
    return Run.open(path)


@pytest.fixture(scope="session")
def tiny_store(tiny_world: tuple, tmp_path_factory: pytest.TempPathFactory) -> str:
    bundle, _ = tiny_world
    url = f"ladybug:{tmp_path_factory.mktemp('store') / 'graph.lbug'}"
    with open_store(url, read_only=False) as store:
        store.load(bundle)
    return url


def test_a_diagnosis_ranks_every_label_and_cites_the_patients_own_findings(tiny_world: tuple, tiny_run: Run) -> None:
    bundle, cohort = tiny_world
    ids = list(cohort.ids("test"))[:3]
    told = diagnose_admissions(tiny_run, bundle, cohort=cohort, admission_ids=ids)
    assert [one.diagnosis.admission_id for one in told] == ids
    for one in told:
        diseases = one.diagnosis.diseases
        assert [d.rank for d in diseases] == list(range(1, 26))
        assert [d.probability for d in diseases] == sorted((d.probability for d in diseases), reverse=True)
        assert all(d.named == (d.probability >= one.thresholds[d.phenotype]) for d in diseases)
        assert len({d.phenotype for d in diseases}) == 25
        present = {f.concept for f in one.findings if f.present}
        edges = {edge.statement for edge in one.subgraph.edges}
        for disease in diseases:
            assert {node.concept for node in disease.nodes} <= present
            assert all(set(node.statements) <= edges for node in disease.nodes)
        assert one.diagnosis.labels == tuple(sorted(cohort.admission(one.admission.admission_id).labels))
        assert one.diagnosis.generated_text


def test_sentences_say_where_they_come_from(tiny_world: tuple, tiny_run: Run) -> None:
    bundle, cohort = tiny_world
    (one,) = diagnose_admissions(tiny_run, bundle, cohort=cohort, admission_ids=[cohort.ids("test")[0]])
    sentences = one.diagnosis.rationale.sentences
    assert all(isinstance(sentence, ToldSentence) for sentence in sentences)
    named = {d.phenotype for d in one.diagnosis.diseases if d.named} or {one.diagnosis.diseases[0].phenotype}
    written = [s for s in sentences if isinstance(s, ToldSentence) and s.origin == "graph"]
    assert {s.disease for s in written} == named
    concepts = {f.concept for f in one.findings}
    for sentence in sentences:
        assert isinstance(sentence, ToldSentence)
        assert set(sentence.findings) <= concepts
        if sentence.origin == "generated" and sentence.findings == () and "no finding" not in sentence.text.lower():
            assert not sentence.sound


def test_an_admission_outside_any_cohort_is_linked_as_the_cohort_was(tiny_world: tuple, tiny_run: Run) -> None:
    bundle, _ = tiny_world
    name = finding_name(4, 1)
    admission = parse_admission(
        json.dumps(
            {
                "admission_id": "new-1",
                "age": 70,
                "notes": {"history_of_present_illness": f"Patient with {name} today, no {finding_name(9, 0)}."},
                "series": [{"code": "8867-4", "hours": [0, 3, 5], "values": [80, 90, 85]}],
            }
        )
    )
    (one,) = diagnose_admissions(tiny_run, bundle, admission=admission)
    assert one.diagnosis.admission_id == "new-1"
    found = {(f.concept, f.negated) for f in one.findings}
    assert {(finding_id(4, 1), False), (finding_id(9, 0), True)} <= found
    assert one.diagnosis.labels == ()
    again = diagnose(tiny_run, bundle, admission=admission)[0]
    assert again == one.diagnosis


def test_bad_calls_are_refused(tiny_world: tuple, tiny_run: Run) -> None:
    bundle, cohort = tiny_world
    with pytest.raises(InputError, match="give a cohort or one admission"):
        diagnose(tiny_run, bundle)
    with pytest.raises(InputError, match="no admission 'nobody'"):
        diagnose(tiny_run, bundle, cohort=cohort, admission_ids=["nobody"])


def test_what_is_recorded_has_no_text_and_twice_gives_the_same(
    tiny_world: tuple, own_run: Run, tiny_store: str
) -> None:
    bundle, cohort = tiny_world
    ids = list(cohort.ids("test"))[:2]
    with open_store(tiny_store, read_only=False) as store:
        diagnose(own_run, bundle, cohort=cohort, admission_ids=ids, store=store, write=True)
        first = read_recorded(own_run)
        counts = "MATCH (a:Admission)-[:HAS_DIAGNOSIS]->(d:Diagnosis)-[:OF]->(c:Concept) RETURN a.id, c.id, d.rank"
        rows = store.query(counts).rows
        diagnose(own_run, bundle, cohort=cohort, admission_ids=ids[::-1], store=store, write=True)
        assert sorted(store.query(counts).rows) == sorted(rows)
        pseudonyms = {row[0] for row in rows}
        store.remove_diagnoses()
        assert store_recorded(own_run, store) == len(rows)
        assert sorted(store.query(counts).rows) == sorted(rows)
        store.remove_diagnoses()
    assert read_recorded(own_run).equals(first)
    assert len(pseudonyms) == 2 and not pseudonyms & set(ids)
    assert first.schema["support"] == pl.List(
        pl.Struct({"concept": pl.String, "weight": pl.Float64, "statement": pl.String})
    )
    assert (own_run.path / FILE).stat().st_mode & 0o077 == 0
    assert (own_run.path / "salt").stat().st_mode & 0o077 == 0


def test_another_run_gives_another_pseudonym(tiny_world: tuple, own_run: Run, tiny_run: Run, tmp_path: Path) -> None:
    other = replace(own_run, path=tmp_path / "other")
    other.path.mkdir()
    assert run_salt(own_run) != run_salt(other)
    assert run_salt(own_run) == run_salt(own_run)
    assert run_name(own_run) != run_name(other)


def test_recording_one_admission_keeps_the_others(tiny_world: tuple, own_run: Run) -> None:
    bundle, cohort = tiny_world
    one, two = list(cohort.ids("test"))[:2]
    told = diagnose(own_run, bundle, cohort=cohort, admission_ids=[one, two])
    record(own_run, told)
    before = read_recorded(own_run)
    record(own_run, told[:1])
    assert read_recorded(own_run).equals(before)
    (own_run.path / FILE).write_bytes(b"no table")
    with pytest.raises(InputError, match="damaged table"):
        record(own_run, told)


def test_evidence_comes_from_the_store(tiny_world: tuple, tiny_run: Run, tiny_store: str) -> None:
    bundle, cohort = tiny_world
    with open_store(tiny_store) as store:
        told = diagnose_admissions(tiny_run, bundle, cohort=cohort, store=store, admission_ids=[cohort.ids("test")[0]])
    (one,) = told
    assert one.store == tiny_store
    present = {f.concept for f in one.findings if f.present}
    for row in one.evidence["why_diagnosis"]:
        assert row["finding"] in present
    names = {d.name for d in one.diagnosis.diseases}
    assert {row["disease"] for row in one.evidence["why_diagnosis"]} <= names
    assert set(one.evidence) == {
        "why_diagnosis",
        "against_diagnosis",
        "separates_from_runner_up",
        "unexplained_findings",
        "relation_origin",
    }


def test_denied_findings_travel_as_denied() -> None:
    findings = [
        Finding("1", "HP:1", "note"),
        Finding("1", "HP:2", "note", negated=True),
        Finding("1", "HP:1", "note", negated=True),
        Finding("1", "HP:3", "lab", code="LOINC:1-8", direction="high"),
        Finding("1", "HP:4", "note", family=True),
    ]
    assert evidence_parameters(findings) == {
        "findings": ["HP:1", "HP:3"],
        "denied": ["HP:2"],
        "high": ["LOINC:1-8"],
        "low": [],
    }

"""The evidence queries on the embedded store; tests/integration compares their rows with Neo4j's."""

from __future__ import annotations

from pathlib import Path

import pytest

from ehr.errors import InputError
from kg.queries import browser_text, complete, evidence_queries, evidence_query, run_evidence
from kg.stores import DiagnosisRecord, GraphStore, Support, open_store
from kg.stores.guard import check_query
from tests.kg.store_bundle import write_bundle

PATIENT = {
    "findings": ["HP:0012764", "HP:0012398", "HP:0001945", "HP:0000822", "HP:0001873", "HP:0012735", "RXNORM:4603"],
    "denied": ["HP:0002094", "HP:0000822"],
    "high": ["LOINC:33762-6"],
    "low": ["LOINC:8310-5", "LOINC:33762-6"],
}
ALL = {
    **PATIENT,
    "disease": "CCS:108",
    "runner_up": "CCS:122",
    "diseases": ["CCS:108"],
    "subject": "CCS:108",
    "object": "HP:0002094",
    "admission": "A1",
    "sources": ["bridge", "hpo"],
}


def arguments(name: str) -> dict[str, object]:
    return {key: value for key, value in ALL.items() if key in evidence_query(name).parameters}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> GraphStore:
    directory = tmp_path_factory.mktemp("graph")
    bundle = write_bundle(directory)
    opened = open_store(f"ladybug:{directory / 'graph.lbug'}", read_only=False)
    opened.load(bundle)
    opened.write_diagnoses(
        "run",
        [
            DiagnosisRecord("A1", "CCS:108", 0.9, 1, (Support("HP:0002094", 0.5, "S1"), Support("HP:0000969", 0.5))),
            DiagnosisRecord("A1", "CCS:122", 0.2, 2),
        ],
    )
    return opened


def short(store: GraphStore, name: str, *columns: str, **changes: object) -> list[tuple[object, ...]]:
    result = run_evidence(store, name, {**arguments(name), **changes})
    assert result.columns == evidence_query(name).columns
    return [tuple(record[column] for column in columns) for record in result.records()]


def test_the_questions() -> None:
    assert [query.name for query in evidence_queries()] == [
        "against_diagnosis",
        "relation_origin",
        "separates_from_runner_up",
        "source_file",
        "unexplained_findings",
        "why_diagnosis",
        "written_diagnosis",
    ]
    for query in evidence_queries():
        assert query.question.endswith("?")
        assert set(query.required) <= set(query.parameters)
        assert all(one.what for one in query.inputs)
        assert {column for column, _ in query.order} <= set(query.columns)
        assert f"Question: {query.question}" in query.graph_text.replace("\n// ", " ")


def test_why(store: GraphStore) -> None:
    assert short(store, "why_diagnosis", "finding", "how", "weight", "steps", "via") == [
        ("HP:0012764", "phenotype", 0.9, 1, "HP:0002094"),
        ("LOINC:33762-6", "measurement", 0.9, 0, "LOINC:33762-6"),
        ("HP:0012398", "phenotype", 0.8, 1, "HP:0000969"),
        ("RXNORM:4603", "treatment", 0.8, 0, "RXNORM:4603"),
        ("HP:0000822", "risk", 0.6, 0, "HP:0000822"),
    ]
    named = short(store, "why_diagnosis", "finding", "how", "steps", findings=["ICD10CM:I50.9", "HP:0001635"], high=[])
    assert named == [("HP:0001635", "named", 0), ("ICD10CM:I50.9", "named", 1)]
    general = short(store, "why_diagnosis", "finding", "how", "via", findings=["HP:0000118"], high=[], low=[])
    assert general == [("HP:0000118", "general", "HP:0002094"), ("HP:0000118", "general", "HP:0000969")]
    indicated = short(
        store, "why_diagnosis", "finding", "how", "via", disease="CCS:122", findings=["HP:0001945"], high=[], low=[]
    )
    assert ("HP:0001945", "indicated", "LOINC:8310-5") in indicated


def test_against(store: GraphStore) -> None:
    assert short(store, "against_diagnosis", "finding", "how", "weight") == [
        ("HP:0002094", "denied", 0.9),
        ("LOINC:33762-6", "opposite", 0.9),
        ("HP:0000822", "denied_risk", 0.6),
        ("HP:0001945", "excluded", 0.1),
    ]


def test_separates(store: GraphStore) -> None:
    rows = short(
        store, "separates_from_runner_up", "speaks_for", "finding", "how", "weight", "weight_of_other", denied=[]
    )
    assert ("CCS:108", "HP:0012764", "phenotype", 0.9, 0.6) in rows
    assert ("CCS:122", "HP:0001945", "phenotype", 0.8, 0.0) in rows
    assert ("CCS:108", "LOINC:33762-6", "measurement", 0.9, 0.0) in rows
    assert not [row for row in rows if row[:2] == ("CCS:122", "HP:0012764")]
    denied = short(
        store,
        "separates_from_runner_up",
        "speaks_for",
        "finding",
        "how",
        findings=[],
        high=[],
        low=[],
        denied=["HP:0012735"],
    )
    assert denied == [("CCS:108", "HP:0012735", "denied")]


def test_unexplained(store: GraphStore) -> None:
    rows = short(store, "unexplained_findings", "finding", "state")
    assert rows == [
        ("HP:0001873", "present"),
        ("HP:0001945", "present"),
        ("HP:0012735", "present"),
        ("LOINC:33762-6", "low"),
        ("LOINC:8310-5", "low"),
    ]
    both = short(store, "unexplained_findings", "finding", diseases=["CCS:108", "CCS:122"], low=[])
    assert both == [("HP:0001873",)]


def test_origin(store: GraphStore) -> None:
    rows = short(store, "relation_origin", "source", "version", "publications", "checked", "weight")
    assert rows == [
        ("bridge", "1", ["https://example.org/a"], True, 0.45),
        ("bridge", "1", [], False, 0.225),
        ("hpo", "2026-01-01", ["PMID:1", "OMIM:154700"], None, 0.9),
    ]
    statement = short(store, "relation_origin", "statement")[0][0]
    by_id = short(store, "relation_origin", "source", "checked", statements=[statement], subject="", object="")
    assert by_id == [("bridge", True), ("bridge", False), ("hpo", None)]
    assert short(store, "relation_origin", "source", statements=[statement]) == [(row[0],) for row in by_id]


def test_source_files(store: GraphStore) -> None:
    rows = short(store, "source_file", "source", "version", "licence", "open", "sha256")
    assert [row[0] for row in rows] == ["bridge", "hpo"]
    assert all(row[2] and len(str(row[4])) == 64 for row in rows)
    assert short(store, "source_file", "source", sources=["hpo"]) == [("hpo",)]
    assert short(store, "source_file", "source", sources=[]) == [("bridge",), ("hpo",)]


def test_written(store: GraphStore) -> None:
    rows = short(store, "written_diagnosis", "run", "rank", "disease", "finding", "statement")
    assert rows == [
        ("run", 1, "CCS:108", "HP:0000969", None),
        ("run", 1, "CCS:108", "HP:0002094", "S1"),
        ("run", 2, "CCS:122", None, None),
    ]
    assert short(store, "written_diagnosis", "run", run="another") == []


@pytest.mark.parametrize("name", [query.name for query in evidence_queries()])
def test_twins_give_paths_and_nodes(store: GraphStore, name: str) -> None:
    result = run_evidence(store, name, arguments(name), graph=True)
    assert result.rows
    cells = [cell for row in result.rows for cell in row if cell is not None]
    assert all(isinstance(cell, dict) and ("nodes" in cell or "_label" in cell) for cell in cells)


@pytest.mark.parametrize("name", [query.name for query in evidence_queries()])
def test_text_to_paste_needs_no_parameters(store: GraphStore, name: str) -> None:
    text = browser_text(name, arguments(name))
    assert check_query(text).parameters == ()
    pasted = sorted(str(row) for row in store.query(text).rows)
    assert pasted == sorted(str(row) for row in run_evidence(store, name, arguments(name), graph=True).rows)


def test_text_to_paste_cannot_be_broken_out_of(store: GraphStore) -> None:
    evil = "x' RETURN 1 //\\' \n LOAD CSV"
    text = browser_text("why_diagnosis", {"disease": evil, "findings": [evil]})
    assert check_query(text).parameters == ()
    assert store.query(text).rows == ()


def test_parameters_are_checked() -> None:
    query = evidence_query("why-diagnosis")
    with pytest.raises(InputError, match=r"needs disease, findings .*concept id of the diagnosis"):
        complete(query, {})
    with pytest.raises(InputError, match="no parameter 'finding'; it has disease, findings, high, low"):
        complete(query, {"disease": "CCS:108", "findings": [], "finding": []})
    with pytest.raises(InputError, match="parameter disease is 3, expected a text"):
        complete(query, {"disease": 3, "findings": []})
    with pytest.raises(InputError, match="expected a list of texts"):
        complete(query, {"disease": "CCS:108", "findings": [1]})
    values = complete(query, {"disease": "CCS:108", "findings": "HP:1"})
    assert values == {"disease": "CCS:108", "findings": ["HP:1"], "high": [], "low": []}
    with pytest.raises(InputError, match="did you mean why_diagnosis"):
        evidence_query("why_diagnose")


def test_rows_at_most(store: GraphStore) -> None:
    result = run_evidence(store, "why_diagnosis", arguments("why_diagnosis"), limit=2)
    assert (len(result.rows), result.truncated) == (2, True)


def test_queries_are_files_of_the_package() -> None:
    folder = Path(__file__).parents[2] / "kg" / "queries"
    tables = {path.name for path in folder.glob("*.cypher") if not path.name.endswith(".graph.cypher")}
    assert {f"{query.name}.cypher" for query in evidence_queries()} == tables

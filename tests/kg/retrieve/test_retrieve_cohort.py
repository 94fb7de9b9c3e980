"""Subgraphs of a cohort, written and read back."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from ehr.cohort import SCHEMAS, Cohort, create_cohort
from ehr.errors import InputError
from kg.bundle import Bundle
from kg.link.cohort import SCHEMA as FINDINGS_SCHEMA
from kg.retrieve import Retriever, explain_admission, retrieve_cohort, subgraphs_of
from kg.types import Finding


@pytest.fixture
def cohort(tmp_path: Path, findings: list[Finding]) -> Cohort:
    directory = tmp_path / "cohort"
    directory.mkdir()
    made = create_cohort(directory, {"source": "test"})
    admissions = [(str(i), str(i), 60.0, "F", "EMERGENCY", 9.0, None, [], "train") for i in (1, 2)]
    made.write_table("admissions", pl.DataFrame(admissions, schema=SCHEMAS["admissions"], orient="row"), "a")
    rows = [tuple(getattr(f, name) for name in FINDINGS_SCHEMA) for f in findings]
    made.write_table("findings", pl.DataFrame(rows, schema=FINDINGS_SCHEMA, orient="row"), "f")
    return made


def test_written_and_read_back_alike_with_one_row_an_admission_and_mode(
    cohort: Cohort, bundle: Bundle, findings: list[Finding]
) -> None:
    summary = retrieve_cohort(cohort, bundle)
    assert summary.subgraphs == 4 and summary.without_evidence == 1 and not summary.already_done
    retriever = Retriever(bundle)
    for mode in ("all", "labs"):
        found = subgraphs_of(cohort, mode=mode)
        assert found == {"1": retriever.retrieve(findings, "1", mode), "2": retriever.retrieve([], "2", mode)}
    assert set(subgraphs_of(cohort, ["2"])) == {"2"}
    frame = cohort.table("subgraphs")
    assert frame.select("admission_id", "mode").rows() == [("1", "all"), ("1", "labs"), ("2", "all"), ("2", "labs")]


def test_twice_writes_once_and_another_budget_writes_anew(cohort: Cohort, bundle: Bundle) -> None:
    retrieve_cohort(cohort, bundle)
    first = cohort.table_path("subgraphs").read_bytes()
    assert retrieve_cohort(cohort, bundle).already_done
    cohort.table_path("subgraphs").unlink()
    retrieve_cohort(cohort, bundle)
    assert cohort.table_path("subgraphs").read_bytes() == first
    assert not retrieve_cohort(cohort, bundle, nodes=40).already_done


def test_one_admission_explained_node_by_node(cohort: Cohort, bundle: Bundle) -> None:
    retrieve_cohort(cohort, bundle)
    (subgraph,) = subgraphs_of(cohort, ["1"]).values()
    rows = explain_admission(cohort, bundle, "1")
    assert {row["node"] for row in rows} == set(subgraph.nodes) and len(rows) == len(subgraph.nodes)
    assert rows[0]["name"] == "Congestive heart failure" and rows[0]["rank"] == 1
    held = {edge.statement for edge in subgraph.edges}
    for row in rows:
        assert row["why"] in ("candidate", "finding", "on a path", "walk")
        assert held.issuperset(str(row["statements"]).split(", ") if row["statements"] else ())
        assert row["statements"] or row["why"] != "walk"
        assert (row["why"] == "finding") == bool(row["from"])
    empty = explain_admission(cohort, bundle, "2")
    assert {row["why"] for row in empty} == {"candidate"} and {row["rank"] for row in empty} == {0}
    with pytest.raises(InputError, match="no subgraph"):
        explain_admission(cohort, bundle, "9")


def test_a_cohort_that_was_not_linked_says_what_to_do(cohort: Cohort, bundle: Bundle) -> None:
    cohort.table_path("findings").unlink()
    with pytest.raises(InputError, match="kg link"):
        retrieve_cohort(cohort, bundle)
    assert not cohort.table_path("subgraphs").exists()


def test_a_concept_unknown_to_the_graph_is_left_out_and_said_so(
    cohort: Cohort, bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = Retriever(bundle).retrieve([Finding("1", "HP:0010741", "note")], "1")
    rows = [
        tuple(getattr(f, name) for name in FINDINGS_SCHEMA)
        for f in (Finding("1", "HP:0010741", "note"), Finding("1", "NOSUCH:1", "note"))
    ]
    cohort.write_table("findings", pl.DataFrame(rows, schema=FINDINGS_SCHEMA, orient="row"), "g")
    summary = retrieve_cohort(cohort, bundle)
    said = " ".join(capsys.readouterr().err.split())
    assert "1 concepts of the findings" in said and "1 admissions have no finding" in said
    assert summary.without_findings == 1
    assert subgraphs_of(cohort, ["1"]) == {"1": expected}


@pytest.mark.parametrize("method", ["k-hop", "steiner", "ppr-only"])
def test_another_method_makes_the_table_anew(cohort: Cohort, bundle: Bundle, method: str) -> None:
    retrieve_cohort(cohort, bundle)
    assert not retrieve_cohort(cohort, bundle, method=method).already_done
    assert retrieve_cohort(cohort, bundle, method=method).already_done
    assert not retrieve_cohort(cohort, bundle).already_done

"""The files, read by a reader of CSV; that Neo4j's import tool takes them is tested in tests/integration."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from ehr.errors import InputError
from kg.bundle import Bundle
from kg.export.neo4j_admin import DELIMITERS, write_neo4j_admin
from kg.stores.manifest import READY
from kg.stores.neo4j_lists import putting
from kg.stores.neo4j_schema import INDEXES
from kg.stores.tables import CONCEPT_COLUMNS, EVIDENCE_COLUMNS, GraphTables
from kg.vocabulary import Category, Predicate
from tests.kg.export.bundles import AWKWARD, write_awkward
from tests.kg.tables import write_tables


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return Bundle.open(write_awkward(tmp_path / "graph"))


def arguments(folder: Path) -> list[str]:
    return (folder / "import.args").read_text(encoding="utf-8").splitlines()


def delimiter(folder: Path) -> str:
    (found,) = [one for one in arguments(folder) if one.startswith("--array-delimiter=U+")]
    return chr(int(found.partition("+")[2], 16))


def read(folder: Path, name: str) -> list[dict[str, str]]:
    header = (folder / f"{name}.header.csv").read_text(encoding="utf-8").strip().split(",")
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return [dict(zip(header, row, strict=True)) for row in csv.reader(line for line in file)]


def test_every_text_comes_back(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    counts = write_neo4j_admin(bundle, tmp_path / "out")
    concepts = {row["id:ID(Concept)"]: row for row in read(tmp_path / "out", "nodes-Concept")}
    tables = GraphTables(bundle)
    assert counts["nodes"] == len(AWKWARD) + tables.evidence + tables.sources.height + 1
    sign = delimiter(tmp_path / "out")
    for frame in tables.concept_batches():
        assert tuple(frame.columns) == CONCEPT_COLUMNS
        for row in frame.iter_rows(named=True):
            found = concepts[row["id"]]
            assert found["name:string"] == AWKWARD[row["id"]]
            assert found["definition:string"] == row["definition"]
            assert found["synonyms:string[]"] == sign.join(row["synonyms"])
            assert found["deprecated:boolean"] == str(row["deprecated"]).lower()
            assert found[":LABEL"] == Category(row["category"]).label
    evidence = {row["id:string"]: row for row in read(tmp_path / "out", "nodes-Evidence")}
    for frame in tables.evidence_batches():
        assert tuple(frame.columns) == EVIDENCE_COLUMNS
        for row in frame.iter_rows(named=True):
            found = evidence[row["id"]]
            assert found["note:string"] == row["note"]
            assert float(found["weight:double"]) == row["weight"]
            assert found["checked:boolean"] == ("" if row["checked"] is None else str(row["checked"]).lower())
            assert (found["_content:long"] == "") == (row["publications"] == [""])


def test_null_is_nothing_and_an_empty_text_is_in_quotes(bundle: Bundle, tmp_path: Path) -> None:
    write_neo4j_admin(bundle, tmp_path)
    text = (tmp_path / "nodes-Evidence.csv").read_text(encoding="utf-8")
    assert re.search(r',1\.0,"",', text)
    assert re.search(r',(true|false)?,"', text)
    rows = read(tmp_path, "relations-TREATS")
    assert [row["negated:boolean"] for row in rows] == ["true"]
    assert set(rows[0]) >= {":START_ID(Concept)", ":END_ID(Concept)", "statement:string", "sources:string[]"}


def test_the_command_names_every_file(bundle: Bundle, tmp_path: Path) -> None:
    write_neo4j_admin(bundle, tmp_path)
    said = arguments(tmp_path)
    named = [path for one in said if one.startswith(("--nodes", "--rel")) for path in one.split("=", 2)[2].split(",")]
    assert sorted(named) == sorted(f"./{file.name}" for file in tmp_path.glob("*.csv"))
    assert "--multiline-fields=true" in said
    for predicate in (Predicate.SUBCLASS_OF, Predicate.HAS_COMPLICATION, Predicate.TREATS):
        assert any(one.startswith(f"--relationships={predicate.relationship}=") for one in said)
    assert (tmp_path / "import.sh").stat().st_mode & 0o111


def test_a_sign_that_stands_in_a_list_does_not_part_lists(tmp_path: Path) -> None:
    path = write_awkward(tmp_path / "graph")
    (tmp_path / "out").mkdir()
    write_neo4j_admin(Bundle.open(path), tmp_path / "out")
    assert delimiter(tmp_path / "out") == DELIMITERS[1]  # the first stands in a synonym


def test_no_sign_left(tmp_path: Path) -> None:
    concepts = [{"id": "HP:1", "category": "biolink:Disease", "name": "a"}]
    write_tables(
        tmp_path, {"concepts": concepts, "synonyms": [{"concept": "HP:1", "text": "".join(DELIMITERS), "kind": ""}]}
    )
    with pytest.raises(InputError, match="every sign"):
        write_neo4j_admin(Bundle.open(tmp_path), tmp_path / "graph")


def test_a_long_value_widens_the_buffer_and_plain_text_needs_no_lines(tmp_path: Path) -> None:
    concepts = [{"id": "HP:1", "category": "biolink:Disease", "name": "a", "definition": "x" * 2_000_000}]
    write_tables(tmp_path / "graph", {"concepts": concepts})
    write_neo4j_admin(Bundle.open(tmp_path / "graph"), tmp_path)
    said = arguments(tmp_path)
    (size,) = [int(one.partition("=")[2]) for one in said if one.startswith("--read-buffer-size=")]
    assert size > 4_000_000
    assert not any(one.startswith("--multiline") for one in said)
    assert not (tmp_path / "nodes-Evidence.csv").exists()


def test_the_completion_can_be_taken_apart(bundle: Bundle, tmp_path: Path) -> None:
    write_neo4j_admin(bundle, tmp_path)
    statements = (tmp_path / "constraints.cypher").read_text(encoding="utf-8").split(";\n")
    assert statements[-1] == ""
    assert statements[-2] == f"MATCH (b:Bundle {{id: 'bundle'}}) SET b.state = '{READY}'"
    assert [one for one in statements if one.startswith("CREATE ")] == [one.statement for one in INDEXES]
    assert any("SET n.publications = ['']" in one for one in statements)
    (bundle_row,) = read(tmp_path, "nodes-Bundle")
    lists = bundle_row["_lists:string[]"].split(delimiter(tmp_path))
    assert {"Concept.equivalents", "Concept.synonyms", "Evidence.publications", "TREATS.publications"} <= set(lists)
    for kind, _, name in (one.partition(".") for one in lists):
        assert putting(kind, name) in statements

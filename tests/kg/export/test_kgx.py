from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest

from kg.build import build
from kg.bundle import Bundle
from kg.export.kgx import NEAREST, infores, write_kgx
from kg.vocabulary import Predicate
from tests.kg.export.bundles import AWKWARD, write_awkward

NODE = {"id", "category"}
EDGE = {"subject", "predicate", "object", "knowledge_level", "agent_type"}
"""Elements that the specification requires."""
LEVELS = {
    "knowledge_assertion", "logical_entailment", "prediction", "statistical_association", "observation", "not_provided",
}  # fmt: skip
BIOLINK_4_LACKS = {"has_complication", "differential_with", "has_ingredient", "assesses"}


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return Bundle.open(write_awkward(tmp_path / "graph"))


@pytest.fixture
def out(bundle: Bundle, tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    assert write_kgx(bundle, tmp_path / "out") == {"nodes": len(AWKWARD), "edges": 19}
    return tmp_path / "out"


def table(file: Path) -> list[dict[str, str]]:
    """Read as KGX does: tabs part, nothing is quoted; no sign that anybody takes for a line end stands in a value."""
    header, *rows = file.read_text(encoding="utf-8").splitlines()
    return [dict(zip(header.split("\t"), row.split("\t"), strict=True)) for row in rows]


def objects(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]


def test_required_elements(out: Path) -> None:
    for name, needed in (("nodes", NODE), ("edges", EDGE)):
        rows, items = table(out / f"{name}.tsv"), objects(out / f"{name}.jsonl")
        assert len(rows) == len(items)
        for row, item in zip(rows, items, strict=True):
            assert all(row[column] for column in needed)
            assert needed <= set(item)
    nodes = {row["id"] for row in table(out / "nodes.tsv")}
    for edge in objects(out / "edges.jsonl"):
        assert {edge["subject"], edge["object"]} <= nodes
        assert edge["knowledge_level"] in LEVELS
        assert edge["primary_knowledge_source"] in ("infores:shut", "infores:free")
    assert len({edge["id"] for edge in objects(out / "edges.jsonl")}) == 19


def test_json_carries_every_text(bundle: Bundle, out: Path) -> None:
    nodes = {item["id"]: item for item in objects(out / "nodes.jsonl")}
    assert {id_: item["name"] for id_, item in nodes.items()} == AWKWARD
    names = dict(bundle.synonyms.group_by("concept").agg("text").collect().iter_rows())
    for row in bundle.concepts.collect().iter_rows(named=True):
        item = nodes[row["id"]]
        assert item.get("description", "") == row["definition"]
        assert item.get("xref", []) == row["xrefs"]
        assert item.get("same_as", []) == row["equivalents"]
        assert item["deprecated"] is row["deprecated"]
        assert item.get("synonym", []) == sorted(set(names.get(row["id"], [])))
        assert item["provided_by"] == ["infores:free", "infores:shut"]
        assert item["category"] == [row["category"]]
    edges = {str(item["id"]).rpartition(":")[2]: item for item in objects(out / "edges.jsonl")}
    for row in bundle.evidence.collect().iter_rows(named=True):
        item = edges[row["id"]]
        assert (item.get("note", ""), item.get("frequency_qualifier", "")) == (row["note"], row["frequency"])
        assert item.get("publications", []) == row["publications"]
        assert (item["negated"], item["weight"]) == (row["negated"], row["weight"])
        assert item.get("checked") is row["checked"]
        assert item["original_predicate"] == row["predicate"]


def test_tables_have_a_line_a_row_and_lists_their_elements(bundle: Bundle, out: Path) -> None:
    nodes = {row["id"]: row for row in table(out / "nodes.tsv")}
    assert nodes["HP:0000003"]["name"] == "a line and another one"
    assert nodes["HP:0000002"]["name"] == AWKWARD["HP:0000002"]
    assert nodes["HP:0000003"]["same_as"].split("|") == ["UMLS:C9", "UMLS:C8"]
    assert nodes["HP:0000004"]["xref"].split("|") == ["back\\slash \\\" and '; DROP ¦ pipe ¦ ; ,   tab", "MESH:D1"]
    for row in nodes.values():
        assert not any(unicodedata.category(sign) in ("Zl", "Zp") for value in row.values() for sign in value)


def test_predicates_are_biolink_s(out: Path) -> None:
    for item in objects(out / "edges.jsonl"):
        assert str(item["predicate"]).startswith("biolink:")
        if item["original_predicate"] == "clinragen:has_complication":
            assert item["predicate"] == "biolink:contributes_to"
    for predicate in Predicate:
        if predicate.value.startswith("clinragen:") or predicate.value.partition(":")[2] in BIOLINK_4_LACKS:
            assert NEAREST[predicate].startswith("biolink:")
        else:
            assert predicate not in NEAREST


def test_levels_come_from_the_format(out: Path) -> None:
    levels = {(one["primary_knowledge_source"], one["agent_type"]) for one in objects(out / "edges.jsonl")}
    assert levels == {("infores:free", "manual_agent"), ("infores:shut", "not_provided")}


def test_order_and_bytes_are_always_the_same(bundle: Bundle, out: Path, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    write_kgx(bundle, tmp_path / "again")
    for file in sorted(out.iterdir()):
        if file.is_file():
            assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()
    assert [row["id"] for row in table(out / "nodes.tsv")] == sorted(AWKWARD)


@pytest.mark.parametrize(
    ("name", "found"),
    [("hpo", "hpo"), ("My Source (2024)", "my-source-2024"), ("é", "unknown"), ("", "unknown"), ("-a-", "a")],
)
def test_infores(name: str, found: str) -> None:
    assert infores(name) == f"infores:{found}"


@pytest.mark.parametrize("suffix", ["tsv", "jsonl"])
def test_the_reader_of_kgx_reads_it_back(bundle: Bundle, out: Path, tmp_path: Path, suffix: str) -> None:
    for other in out.glob("*.jsonl" if suffix == "tsv" else "*.tsv"):
        other.unlink()
    build([f"kgx:{out}?name=again"], tmp_path / "again")
    again = Bundle.open(tmp_path / "again")
    wanted = {row["id"]: row for row in bundle.concepts.collect().iter_rows(named=True) if row["id"].isascii()}
    found = {row["id"]: row for row in again.concepts.collect().iter_rows(named=True)}
    assert set(wanted) <= set(found)
    for id_, row in wanted.items():
        assert found[id_]["deprecated"] is row["deprecated"]
        # The reader looks at the id where all that is said is NamedThing.
        assert row["category"] in (found[id_]["category"], "biolink:NamedThing")
    assert found["HP:0000002"]["name"] == AWKWARD["HP:0000002"]
    assert found["HP:0000003"]["equivalents"] == ["UMLS:C8", "UMLS:C9"] or found["HP:0000003"]["equivalents"] == []
    kinds = again.statements.select("subject", "object").unique().collect()
    assert set(kinds.rows()) >= {
        (row["subject"], row["object"])
        for row in bundle.statements.collect().iter_rows(named=True)
        if row["subject"].isascii()
    }
    assert again.rejects.collect().height <= 2 * (len(AWKWARD) - len(wanted))

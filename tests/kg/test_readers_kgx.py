"""KGX: the three layouts say the same; Biolink's words in the graph's own; faults in tables and lines."""

from __future__ import annotations

import contextlib
import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ehr.errors import InputError
from kg.readers.biolink import category_among, meaning_of
from kg.readers.formats import FORMATS
from kg.readers.kgx import read_kgx
from kg.readers.source import Context, Source
from kg.vocabulary import Category, Predicate
from tests.kg.graph_records import Told, told
from tests.kg.kgx_files import EDGES, NODES, lines, table, write

EXPECTED = {
    ("MONDO:0005148", "has_phenotype", "HP:0000855"),
    ("CHEBI:6801", "treats", "MONDO:0005148"),
    ("HGNC:11641", "associated_with", "MONDO:0005148"),
    ("CHEBI:6801", "not has_side_effect", "HP:0000855"),
    ("CHEBI:6801", "related_to", "HP:0000855"),
    ("MONDO:1", "has_complication", "MONDO:0005148"),
}


@pytest.mark.parametrize("layout", ["tsv", "jsonl", "json"])
def test_every_layout_says_the_same(tmp_path: Path, layout: str) -> None:
    found = told(read_kgx(write(tmp_path / "g", layout)))
    assert found.triples == EXPECTED
    assert found.rejects == []
    check_nodes(found)
    check_evidence(found)


def check_nodes(found: Told) -> None:
    disease = found.concepts["MONDO:0005148"]
    assert disease["name"] == "type 2 diabetes mellitus"
    assert disease["definition"] == 'a "common" disease'
    assert disease["xrefs"] == ["DOID:9352", "SNOMEDCT_US:44054006", "PMID:1"]
    assert {i: c["category"].split(":")[1] for i, c in found.concepts.items()} == {
        "MONDO:0005148": "Disease",
        "HP:0000855": "PhenotypicFeature",
        "HGNC:11641": "Gene",
        "CHEBI:6801": "ChemicalEntity",
        "MONDO:1": "Disease",  # its category is either; the prefix tells
    }
    assert [i for i, c in found.concepts.items() if c["deprecated"]] == ["MONDO:1"]
    assert {(s["concept"], s["text"], s["scope"]) for s in found.synonyms} == {
        ("MONDO:0005148", "T2DM", "exact"),
        ("MONDO:0005148", "NIDDM", "exact"),
    }
    assert set(found.mappings) == {
        ("MONDO:0005148", "oboInOwl:hasDbXref", "DOID:9352"),
        ("MONDO:0005148", "oboInOwl:hasDbXref", "SNOMEDCT_US:44054006"),
        ("MONDO:0005148", "skos:exactMatch", "DOID:9352"),
    }


def check_evidence(found: Told) -> None:
    facts = {(f["subject"], f["object"], f["predicate"].split(":")[1]): f for f in found.facts}
    shown = facts["MONDO:0005148", "HP:0000855", "has_phenotype"]
    assert (shown["weight"], shown["frequency"]) == (0.545, "HP:0040282")
    assert shown["publications"] == ["PMID:26634245", "PMID:26634244"]
    assert shown["note"] == "knowledge level knowledge_assertion; infores:hpo-annotations"
    gene = facts["HGNC:11641", "MONDO:0005148", "associated_with"]
    assert gene["note"] == "gene_associated_with_condition; qualifiers a, b; infores:gwas-catalog"
    assert (gene["weight"], gene["publications"]) == (1.0, [])
    assert facts["CHEBI:6801", "MONDO:0005148", "treats"]["note"] == ""
    assert facts["CHEBI:6801", "HP:0000855", "related_to"]["note"] == "biolink:contributes_to"


def test_every_packing_and_place(tmp_path: Path) -> None:
    folder = write(tmp_path / "g", "tsv")
    with zipfile.ZipFile(tmp_path / "g.zip", "w") as archive:
        archive.writestr("kg/x_nodes.jsonl", lines(NODES))
        archive.writestr("kg/x_edges.jsonl", lines(EDGES))
    packed = tmp_path / "packed"
    packed.mkdir()
    (packed / "a_nodes.tsv.gz").write_bytes(gzip.compress(table(NODES).encode()))
    (packed / "a_edges.tsv.gz").write_bytes(gzip.compress(table(EDGES).encode()))
    document = write(tmp_path / "d", "json") / "g.json"
    form = FORMATS["kgx"]
    for path, names in (
        (tmp_path / "g.zip", ["x_nodes.jsonl", "x_edges.jsonl"]),
        (folder / "g_nodes.tsv", ["g_nodes.tsv", "g_edges.tsv"]),
        (folder / "g_edges.tsv", ["g_nodes.tsv", "g_edges.tsv"]),
        (packed, ["a_nodes.tsv", "a_edges.tsv"]),
        (packed / "a_edges.tsv.gz", ["a_nodes.tsv", "a_edges.tsv"]),
        (document, ["g.json"]),
        (document.parent, ["g.json"]),
    ):
        assert told(form.read(Source("g", "kgx", path), Context())).triples == EXPECTED
        assert [entry.name for entry in form.files(path)] == names


def test_bad_rows_of_tables(tmp_path: Path) -> None:
    folder = write(tmp_path / "g", "tsv", nodes="no curie" + "\t" * 8 + "\nHP:1\n")
    columns = table(EDGES).partition("\n")[0].count("\t")
    with (folder / "g_edges.tsv").open("ab") as file:
        for cells in (b"HP:1\tbiolink:x\t", b"HP:1\t\tHP:2", b"HP:1\tbiolink:flies_over\tHP:2", b"HP:1\t\xff\tHP:2"):
            file.write(cells + b"\t" * (columns - 2) + b"\n")
        file.write(b"HP:1\tbiolink:treats\n")
    found = told(read_kgx(folder))
    assert found.triples == EXPECTED | {("HP:1", "related_to", "HP:2")}
    assert found.notes["HP:1", "HP:2"] == "biolink:flies_over"
    assert sorted(found.rejects) == [
        ("g_edges.tsv line 10", "subject or object is no CURIE, or there is no predicate"),
        ("g_edges.tsv line 12", "not UTF-8"),
        ("g_edges.tsv line 13", f"2 columns, expected {columns + 1}"),
        ("g_edges.tsv line 9", "subject or object is no CURIE, or there is no predicate"),
        ("g_nodes.tsv line 7", "id 'no curie' is no CURIE"),
        ("g_nodes.tsv line 8", "1 columns, expected 9"),
    ]


def test_bad_lines_of_json(tmp_path: Path) -> None:
    folder = write(tmp_path / "g", "jsonl", nodes='{"id": \n[1]\n\n{"name": "x"}\n', edges="{}\n" + "[" * 99_999 + "\n")
    found = told(read_kgx(folder))
    assert found.triples == EXPECTED
    assert sorted(found.rejects) == [
        ("g_edges.jsonl line 8", "subject or object is no CURIE, or there is no predicate"),
        ("g_edges.jsonl line 9", "no valid JSON (RecursionError)"),
        ("g_nodes.jsonl line 6", "no valid JSON (JSONDecodeError)"),
        ("g_nodes.jsonl line 7", "no JSON object"),
        ("g_nodes.jsonl line 9", "id '' is no CURIE"),
    ]


@pytest.mark.parametrize(
    ("text", "weight", "negated"), [("0.25", 0.25, False), ("0", 1.0, True), ("often", 1.0, False)]
)
def test_a_quotient_is_a_frequency(tmp_path: Path, text: str, weight: float, negated: bool) -> None:
    (tmp_path / "a_nodes.tsv").write_text("id\nHP:1\n", encoding="utf-8")
    (tmp_path / "a_edges.tsv").write_text(
        f"subject\tpredicate\tobject\thas_quotient\nMONDO:1\tbiolink:has_phenotype\tHP:1\t{text}\n", encoding="utf-8"
    )
    found = told(read_kgx(tmp_path))
    assert [(f["weight"], f["negated"]) for f in found.facts] == [(weight, negated)]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a_nodes.tsv": b"id\nHP:1\n"}, r"holds no \*?edges.tsv|holds no a_edges"),
        ({"a_nodes.tsv": b"id\n", "a_edges.tsv": b"subject\tpredicate\tobject\n"}, "no node and no edge"),
        ({"a_nodes.tsv": b"", "a_edges.tsv": b""}, "the file is empty"),
        ({"a_nodes.tsv": b"id\nHP:1\n", "a_edges.tsv": b"subject\tobject\n"}, "no column 'predicate'"),
        ({"a_nodes.jsonl": b"", "a_edges.jsonl": b"\n"}, "no node and no edge"),
        ({"a.json": b'{"nodes": []}'}, "no node and no edge"),
        ({"a.json": b'{"nodes": [{"id": "HP:1"'}, "character 25: Expecting"),
        ({"readme.md": b"x"}, "holds no .*json"),
        ({"a_nodes.tsv": gzip.compress(table(NODES * 500).encode())[:-9], "a_edges.tsv": b"x"}, "truncated gzip"),
    ],
)
def test_graphs_that_cannot_be_used(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        list(read_kgx(tmp_path))


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "graph.tsv").write_text("id\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"expected NAME_nodes\.tsv"):
        list(read_kgx(tmp_path / "graph.tsv"))


@pytest.mark.parametrize(
    ("written", "predicate", "turned", "symmetric", "note"),
    [
        ("biolink:subclass_of", Predicate.SUBCLASS_OF, False, False, ""),
        ("biolink:superclass_of", Predicate.SUBCLASS_OF, True, False, ""),
        ("superclass of", Predicate.SUBCLASS_OF, True, False, ""),
        ("biolink:has_part", Predicate.PART_OF, True, False, ""),
        ("biolink:phenotype_of", Predicate.HAS_PHENOTYPE, True, False, ""),
        ("biolink:location_of", Predicate.LOCATED_IN, True, False, ""),
        ("biolink:enabled_by", Predicate.PARTICIPATES_IN, True, False, "enabled_by"),
        ("biolink:active_in", Predicate.LOCATED_IN, False, False, "active_in"),
        ("biolink:binds", Predicate.INTERACTS_WITH, False, True, "binds"),
        ("biolink:in_clinical_trials_for", Predicate.RELATED_TO, False, False, "biolink:in_clinical_trials_for"),
        ("biolink:assesses", Predicate.MEASURES, False, False, ""),
        ("RO:0002200", Predicate.RELATED_TO, False, False, "RO:0002200"),
        *((p.value, p, False, False, "") for p in (Predicate.TREATS, Predicate.HAS_LOW_MEASUREMENT)),
    ],
)
def test_predicates(written: str, predicate: Predicate, turned: bool, symmetric: bool, note: str) -> None:
    meaning = meaning_of(written)
    assert (meaning.predicate, meaning.turned, meaning.symmetric, meaning.note) == (predicate, turned, symmetric, note)


def test_the_graphs_own_words_mean_themselves() -> None:
    assert all(meaning_of(p.value).predicate is p and not meaning_of(p.value).turned for p in Predicate)
    assert all(category_among([c.value], "X:1") is c for c in Category)


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\t\n\r"), max_size=6) | st.sampled_from(
    ["HP:1", "biolink:treats", "biolink:same_as", "true", "a|b"]
)


@settings(max_examples=60, deadline=None)
@given(
    nodes=st.lists(st.lists(CELL, min_size=3, max_size=4), max_size=5),
    edges=st.lists(st.lists(CELL, min_size=4, max_size=5), max_size=5),
    tail=st.binary(max_size=12),
)
def test_no_table_does_more_than_be_rejected(
    tmp_path_factory: pytest.TempPathFactory, nodes: list[list[str]], edges: list[list[str]], tail: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzz-kgx"
    folder.mkdir(exist_ok=True)
    for name, header, rows in (
        ("a_nodes.tsv", ["id", "category", "xref"], nodes),
        ("a_edges.tsv", ["subject", "predicate", "object", "publications"], edges),
    ):
        (folder / name).write_bytes("".join("\t".join(row) + "\n" for row in [header, *rows]).encode() + tail)
    with contextlib.suppress(InputError):
        told(read_kgx(folder))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.sampled_from(["HP:1", "biolink:treats"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ["id", "category", "xref", "synonym", "subject", "predicate", "object", "publications", "negated"]
)


@settings(max_examples=80, deadline=None)
@given(items=st.lists(st.dictionaries(KEYS, VALUES) | VALUES, max_size=6), tail=st.binary(max_size=12))
def test_no_json_does_more_than_be_rejected(
    tmp_path_factory: pytest.TempPathFactory, items: list[Any], tail: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzz-jsonl"
    folder.mkdir(exist_ok=True)
    for name in ("a_nodes.jsonl", "a_edges.jsonl"):
        (folder / name).write_bytes("".join(json.dumps(item) + "\n" for item in items).encode() + tail)
    (folder.parent / "fuzz.json").write_bytes(json.dumps({"nodes": items, "edges": items}).encode())
    for path in (folder, folder.parent / "fuzz.json"):
        with contextlib.suppress(InputError):
            told(read_kgx(path))

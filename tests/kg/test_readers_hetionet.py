"""Hetionet: both layouts say the same; directions, ids, evidence; documents and tables with faults; the real tables."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ehr.errors import InputError
from kg.readers import json_stream
from kg.readers.formats import FORMATS
from kg.readers.hetionet import read_hetionet, tables
from kg.readers.hetionet_rules import METAEDGES
from kg.readers.json_stream import read_items
from kg.readers.source import Context, Source
from tests.kg.graph_records import told
from tests.kg.hetionet_files import document, edge_table, node_table, write_tables

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "hetionet"

EXPECTED = {
    ("DRUGBANK:DB00178", "treats", "DOID:10763"),
    ("DRUGBANK:DB00178", "palliates", "DOID:10763"),
    ("DRUGBANK:DB00178", "has_side_effect", "UMLS:C0010200"),
    ("DRUGBANK:DB00178", "interacts_with", "NCBIGENE:1636"),
    ("DOID:10763", "has_phenotype", "MESH:D006261"),
    ("DOID:10763", "associated_with", "NCBIGENE:183"),
    ("NCBIGENE:1636", "interacts_with", "NCBIGENE:183"),
    ("NCBIGENE:183", "affects", "NCBIGENE:1636"),
    ("NCBIGENE:183", "participates_in", "WIKIPATHWAYS:WP554"),
    ("NCBIGENE:183", "expressed_in", "UBERON:0002107"),
    ("NCBIGENE:1636", "related_to", "UBERON:0002107"),
    ("DRUGBANK:DB00178", "subclass_of", "NDFRT:N0000175562"),
}


def test_tables(tmp_path: Path) -> None:
    found = told(read_hetionet(write_tables(tmp_path / "h")))
    assert found.triples == EXPECTED
    assert found.rejects == []
    assert found.header is not None and found.header.version == "1.0"
    assert {(c["id"], c["category"].split(":")[1], c["name"]) for c in found.concepts.values()} == {
        ("DOID:10763", "Disease", "hypertension"),
        ("DRUGBANK:DB00178", "Drug", "Ramipril"),
        ("NCBIGENE:1636", "Gene", "ACE"),
        ("NCBIGENE:183", "Gene", "AGT"),
        ("MESH:D006261", "PhenotypicFeature", "Headache"),
        ("UMLS:C0010200", "PhenotypicFeature", "Cough"),
        ("UBERON:0002107", "AnatomicalEntity", "liver"),
        ("NDFRT:N0000175562", "Drug", 'ACE "inhibitor"'),
        ("WIKIPATHWAYS:WP554", "Pathway", "ACE pathway"),
        ("HETIONET:PC7_4518", "Pathway", "Metabolism"),
    }
    assert found.notes["NCBIGENE:183", "NCBIGENE:1636"] == "regulates"


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress])
def test_json_says_the_same_and_gives_evidence(tmp_path: Path, pack: Any) -> None:
    path = tmp_path / "hetionet-v1.0.json.bz2"
    path.write_bytes(pack(json.dumps(document(), indent=1).encode()))
    found = told(read_hetionet(path))
    assert found.triples == EXPECTED
    assert found.header is not None and found.header.version == "1.0"
    assert found.concepts["NCBIGENE:183"]["definition"] == "about AGT"
    fact = next(f for f in found.facts if f["predicate"] == "biolink:treats")
    assert fact["note"] == "PharmacotherapyDB, DrugCentral; licence CC0 1.0"
    assert fact["publications"] == ["PMID:123", "PMID:456"]
    assert (fact["subject_as_written"], fact["object_as_written"]) == ("Compound::DB00178", "Disease::DOID:10763")
    assert found.notes["NCBIGENE:1636", "NCBIGENE:183"].endswith("unbiased")


def test_every_packing_and_place(tmp_path: Path) -> None:
    folder = write_tables(tmp_path / "h")
    with zipfile.ZipFile(tmp_path / "h.zip", "w") as archive:
        archive.writestr("tsv/hetionet-v1.0-nodes.tsv", node_table())
        archive.writestr("tsv/hetionet-v1.0-edges.sif", edge_table())
    form = FORMATS["hetionet"]
    for path in (tmp_path / "h.zip", folder, folder / "hetionet-v1.0-edges.sif.gz"):
        assert told(form.read(Source("h", "hetionet", path), Context())).triples == EXPECTED
        assert [e.name for e in form.files(path)] == ["hetionet-v1.0-nodes.tsv", "hetionet-v1.0-edges.sif"]


def test_unknown_types_are_kept_and_bad_rows_rejected(tmp_path: Path) -> None:
    folder = write_tables(tmp_path / "h")
    with (folder / "hetionet-v1.0-nodes.tsv").open("ab") as file:
        file.write(b"Gene::1\tA1BG\nGene9\tx\tGene\nVirus::11320\tinfluenza\tVirus\nGene::2\t\xff\tGene\n")
    edges = edge_table() + "Virus::11320\tViG\tGene::183\nGene::77777\tGiG\tGene::183\nGene\tGiG\tGene::1\nx\n"
    (folder / "hetionet-v1.0-edges.sif.gz").write_bytes(gzip.compress(edges.encode()))
    found = told(read_hetionet(folder))
    assert found.triples == EXPECTED | {
        ("HETIONET:11320", "related_to", "NCBIGENE:183"),
        ("NCBIGENE:183", "interacts_with", "NCBIGENE:77777"),
    }
    assert found.notes["HETIONET:11320", "NCBIGENE:183"] == "ViG"
    assert found.concepts["HETIONET:11320"]["category"] == "biolink:NamedThing"
    assert sorted(found.rejects) == [
        ("hetionet-v1.0-edges.sif line 17", "1 columns, expected 3"),
        ("hetionet-v1.0-nodes.tsv line 12", "2 columns, expected 3"),
        ("hetionet-v1.0-nodes.tsv line 15", "not UTF-8"),
        ("line 13", "id 'Gene9', expected NODE TYPE::identifier"),
        ("line 16", "source or target is no NODE TYPE::identifier"),
    ]


def test_items_of_the_document_that_are_none(tmp_path: Path) -> None:
    made = document()
    made["nodes"] += [7, {"kind": "Gene"}, {"kind": "Gene", "identifier": True, "name": None, "data": None}]
    made["edges"] += [
        None,
        {"source_id": ["Gene", 1]},
        {"source_id": "x", "target_id": ["Gene", 1]},
        {"source_id": ["Gene", 1], "target_id": ["Gene", 183], "kind": "eats", "direction": "backward", "data": 3},
    ]
    path = tmp_path / "h.json"
    path.write_text(json.dumps(made), encoding="utf-8")
    found = told(read_hetionet(path))
    assert found.triples == EXPECTED | {("NCBIGENE:183", "related_to", "NCBIGENE:1")}
    assert [where for where, _ in found.rejects] == [
        "item 11 of nodes", "item 12 of nodes", "item 13 of nodes",
        "item 13 of edges", "item 14 of edges", "item 15 of edges",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", b"", r"line 1, character 1: expected '{'"),
        ("a.json", b"[]", r"line 1, character 1: expected '{'"),
        ("a.json", b"{}", "no node and no edge"),
        ("a.json", b'{"nodes": 3}', r"character 11: expected '\["),
        ("a.json", b'{"edges": [', "character 12: Expecting value"),
        ("a.json", b'{"edges": [{}', "after item 1 of 'edges': expected ',' or"),
        ("a.json", b'{"x": ' + b"[" * 200_000, "nests too deep"),
        ("a.json", b'{"x": ' + b"9" * 9000 + b"}", "a number that is too long"),
        ("a.json", b'{"nodes": [{"kind": "\xff"}]}', "bytes that are no UTF-8"),
        ("a.json.bz2", bz2.compress(b'{"nodes": [' + b"{}," * 9000)[:-8], "truncated"),
        ("a.json.bz2", bz2.compress(b"{}")[:30] + b"x" * 30, "damaged bzip2|truncated"),
        ("a-nodes.tsv", b"id\tname\tkind\n", r"holds no \*edges\*\.sif"),
        ("edges.sif", b"source\tmetaedge\ttarget\n", r"holds no \*nodes\*.tsv"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        list(read_hetionet(tmp_path / name))


def test_a_table_without_edges_is_no_graph(tmp_path: Path) -> None:
    folder = write_tables(tmp_path / "h")
    (folder / "hetionet-v1.0-edges.sif.gz").write_bytes(b"source\tmetaedge\ttarget\n")
    with pytest.raises(InputError, match="no edge in it"):
        list(read_hetionet(folder))


def test_all_24_metaedges_have_their_published_abbreviation() -> None:
    published = "AdG AeG AuG CbG CcSE CdG CpD CrC CtD CuG DaG DdG DlA DpS DrD DuG GcG GiG GpBP GpCC GpMF GpPW Gr>G PCiC"
    assert sorted(METAEDGES) == sorted(published.split())


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(
    arrays=st.dictionaries(st.sampled_from(["nodes", "edges", "x"]), st.lists(VALUES, max_size=4)),
    block=st.integers(1, 50),
    indent=st.none() | st.integers(0, 2),
    plain=st.booleans(),
)
def test_items_come_as_they_were_written_wherever_the_blocks_end(
    tmp_path_factory: pytest.TempPathFactory, arrays: dict[str, list[Any]], block: int, indent: int | None, plain: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "items.json"
    path.write_text(json.dumps(arrays, indent=indent, ensure_ascii=plain), encoding="utf-8", errors="replace")
    arrays = json.loads(path.read_text(encoding="utf-8"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "_BLOCK", block)
        found = list(read_items(path, ("nodes", "edges")))
    expected = [(name, i, item) for name, items in arrays.items() if name != "x" for i, item in enumerate(items, 1)]
    assert found == expected


@settings(max_examples=100, deadline=None)
@given(nodes=st.lists(VALUES, max_size=4), edges=st.lists(VALUES, max_size=4), tail=st.binary(max_size=8))
def test_no_document_does_more_than_be_rejected(
    tmp_path_factory: pytest.TempPathFactory, nodes: list[Any], edges: list[Any], tail: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.json"
    made = {"nodes": [{"kind": n, "identifier": n, "data": n} for n in nodes] + nodes, "edges": edges}
    made["edges"] += [{"source_id": [e, e], "target_id": ["Gene", e], "kind": e, "data": {"sources": e}} for e in edges]
    path.write_bytes(json.dumps(made).encode()[: -len(tail) or None] + tail)
    with contextlib.suppress(InputError):
        told(read_hetionet(path))


@settings(max_examples=60, deadline=None)
@given(nodes=st.binary(max_size=40), edges=st.text(max_size=40))
def test_no_table_does_more_than_be_rejected(
    tmp_path_factory: pytest.TempPathFactory, nodes: bytes, edges: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzz"
    folder.mkdir(exist_ok=True)
    (folder / "a-nodes.tsv").write_bytes(node_table().encode() + nodes)
    (folder / "a-edges.sif").write_bytes((edge_table() + edges).encode("utf-8", "replace"))
    assert told(read_hetionet(folder)).triples >= EXPECTED - {("DRUGBANK:DB00178", "subclass_of", "NDFRT:N0000175562")}


@pytest.mark.skipif(not REAL.is_dir(), reason="no Hetionet here")
def test_the_real_tables() -> None:
    assert [e.name for e in tables(REAL)] == ["hetionet-v1.0-nodes.tsv", "edges-clinical.sif"]
    found = told(read_hetionet(REAL))
    assert len(found.concepts) == 47_031
    assert found.rejects == []
    assert Counter(f["predicate"].split(":")[1] for f in found.facts) == {
        "located_in": 3602,
        "has_phenotype": 3357,
        "subclass_of": 1029,
        "treats": 755,
        "similar_to": 543,
        "palliates": 390,
    }
    assert {end for f in found.facts for end in (f["subject"], f["object"])} <= set(found.concepts)

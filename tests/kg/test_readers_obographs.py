from __future__ import annotations

import gzip
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ehr.errors import InputError
from kg.readers.json_stream import Json, JsonStream
from kg.readers.obo import read_obo
from kg.readers.obographs import read_obographs
from kg.readers.owl import read_owl
from kg.readers.records import Fact, Header, Record, Reject
from kg.types import Synonym
from kg.vocabulary import Category, Predicate
from tests.kg.reader_records import concepts, mappings, statements

DATA = Path(__file__).parents[2].parent / "shared" / "data"
OBO = "http://purl.obolibrary.org/obo/"
OIO = "http://www.geneontology.org/formats/oboInOwl#"

GRAPH: dict[str, Json] = {
    "id": OBO + "mini.json",
    "edges": [
        {"sub": OBO + "HP_2", "pred": "is_a", "obj": OBO + "HP_1"},
        {"subj": OBO + "HP_2", "pred": OBO + "BFO_0000050", "obj": OBO + "UBERON_1"},
        {"sub": OBO + "HP_2", "pred": OBO + "mini#odd", "obj": OBO + "HP_9"},
        {"sub": OBO + "mini#odd", "pred": "subPropertyOf", "obj": OBO + "BFO_0000050"},
        {"sub": OBO + "HP_2", "pred": "is_a"},
    ],
    "nodes": [
        {"id": OBO + "HP_1", "lbl": "All", "type": "CLASS"},
        {
            "id": OBO + "HP_2",
            "lbl": "Fever",
            "type": "CLASS",
            "meta": {
                "definition": {"val": "Hot \ud83e.", "xrefs": []},
                "synonyms": [
                    {"pred": "hasExactSynonym", "val": "Pyrexia", "synonymType": OBO + "hp#layperson"},
                    {"pred": "hasNarrowSynonym", "val": "FUO", "synonymType": OBO + "OMO_0003000"},
                    {"pred": "hasBroadSynonym", "val": "  "},
                    "no object",
                ],
                "xrefs": [
                    {"val": "UMLS_CUI:C1"},
                    {"val": "PMID:1"},
                    {
                        "val": "DOID:3",
                        "meta": {"basicPropertyValues": [{"pred": OIO + "source", "val": "MONDO:equivalentTo"}]},
                    },
                ],
                "basicPropertyValues": [
                    {"pred": OIO + "hasAlternativeId", "val": "HP:99"},
                    {"pred": "http://www.w3.org/2004/02/skos/core#closeMatch", "val": OBO + "MP_7"},
                ],
            },
        },
        {
            "id": OBO + "HP_3",
            "lbl": "old",
            "type": "CLASS",
            "meta": {"deprecated": True, "basicPropertyValues": [{"pred": OBO + "IAO_0100001", "val": OBO + "HP_2"}]},
        },
        {"id": OBO + "HP_8", "type": "CLASS"},
        {"lbl": "no id", "type": "CLASS"},
        {"id": OBO + "mini#odd", "lbl": "odd", "type": "PROPERTY", "meta": {
            "basicPropertyValues": [{"pred": OIO + "shorthand", "val": "has_symptom"}]}},
        {"id": OBO + "OMO_0003000", "lbl": "abbreviation", "type": "PROPERTY"},
        "not a node",
    ],
    "equivalentNodesSets": [{"representativeNodeId": OBO + "DOID_5", "nodeIds": [OBO + "DOID_5", OBO + "HP_2"]}],
    "logicalDefinitionAxioms": [
        {
            "definedClassId": OBO + "HP_2",
            "genusIds": [OBO + "HP_1"],
            "restrictions": [{"propertyId": OBO + "RO_0004026", "fillerId": OBO + "UBERON_2"}, None],
        }
    ],
    "propertyChainAxioms": [{"predicateId": "x"}],
    "meta": {
        "version": OBO + "mini/releases/2026-01-02/mini.json",
        "basicPropertyValues": [{"pred": "http://purl.org/dc/terms/license", "val": "https://example.org/l"}],
    },
}  # fmt: skip


def read(tmp_path: Path, content: object, **options: object) -> list[Record]:
    path = tmp_path / "x.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return list(read_obographs(path, "x", **options))  # type: ignore[arg-type]


def test_reads_nodes_edges_and_definitions(tmp_path: Path) -> None:
    records = read(tmp_path, {"graphs": [GRAPH]})
    assert records[0] == Header("2026-01-02", "https://example.org/l")
    found = concepts(records)
    assert list(found) == ["HP:1", "HP:2", "HP:3"]
    fever = found["HP:2"]
    assert (fever.name, fever.definition, fever.category) == ("Fever", "Hot \ufffd.", Category.PHENOTYPE)
    assert fever.synonyms == (Synonym("Pyrexia", "exact", "layperson"), Synonym("FUO", "narrow", "abbreviation"))
    assert fever.xrefs == ("UMLS:C1", "PMID:1", "DOID:3")
    assert (found["HP:3"].deprecated, found["HP:3"].replaced_by) == (True, "HP:2")
    assert statements(records) == {
        ("HP:2", Predicate.SUBCLASS_OF, "HP:1"): "",
        ("HP:2", Predicate.PART_OF, "UBERON:1"): "",
        ("HP:2", Predicate.HAS_PHENOTYPE, "HP:9"): "",
        ("HP:2", Predicate.LOCATED_IN, "UBERON:2"): "logical definition",
    }
    assert mappings(records) == {
        ("HP:2", "oboInOwl:hasDbXref", "UMLS:C1"),
        ("HP:2", "skos:exactMatch", "DOID:3"),
        ("HP:2", "skos:closeMatch", "MP:7"),
        ("HP:99", "IAO:0100001", "HP:2"),
        ("HP:3", "IAO:0100001", "HP:2"),
        ("DOID:5", "skos:exactMatch", "HP:2"),
    }
    assert [r.record for r in records if isinstance(r, Reject)] == [
        "graph 1, edge 5", "graph 1, node 5", "graph 1, nodes 8",
    ]  # fmt: skip


def test_several_graphs_each_with_its_version(tmp_path: Path) -> None:
    other = {
        "nodes": [{"id": "DOID:1", "lbl": "d", "type": "CLASS"}],
        "edges": [{"sub": "DOID:1", "pred": "is_a", "obj": "DOID:2"}],
        "meta": {"version": "http://x/releases/7/x.json"},
    }
    records = read(tmp_path, {"meta": {}, "graphs": [GRAPH, other, "none"], "@context": {"a": ["b"]}})
    versions = {f.statement.subject: f.evidence.version for f in records if isinstance(f, Fact)}
    assert versions == {"HP:2": "2026-01-02", "DOID:1": "7"}
    assert "DOID:1" in concepts(records)


def test_a_graph_without_a_list_around_it_and_prefixes(tmp_path: Path) -> None:
    assert concepts(read(tmp_path, GRAPH)) == concepts(read(tmp_path, {"graphs": [GRAPH]}))
    records = read(tmp_path, GRAPH, prefixes=frozenset({"HP"}), category=Category.OTHER)
    assert {c.category for c in concepts(records).values()} == {Category.OTHER}
    assert ("HP:2", "skos:exactMatch", "DOID:5") in mappings(records), "the side that is asked for states it"
    with pytest.raises(InputError, match="no node with prefix MP"):
        read(tmp_path, GRAPH, prefixes=frozenset({"MP"}))


WHOLE = json.dumps({"graphs": [GRAPH]}, indent=1).encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (WHOLE.replace(b'"lbl": "old",', b'"lbl": old,'), "after http://purl.obolibrary.org/obo/HP_2: Expecting value"),
        (WHOLE[: len(WHOLE) // 2], "after"),
        (WHOLE + b"{}", "expected the end of the file"),
        (WHOLE.replace(b"Pyrexia", b"Pyr\xe9xia"), "no UTF-8"),
        (b'{"graphs": [{"nodes": ' + b"[" * 100_000, "nests too deep"),
        (b'{"graphs": [{"nodes": [1' + b"0" * 100_000 + b"]}]}", "too long"),
        (b'{"graphs": [{"nodes": ["' + b"x" * (40 << 20), "more than 32 Mi characters"),
        (b'{"graphs": [{"nodes": [{"id": "HP:1"} {"id": "HP:2"}]}]}', "line 1, character 39, after HP:1: expected ','"),
        (b'{"graphs": [], }', "expected a key"),
        (b'{"graphs" []}', "expected ':'"),
        (b"[]", "begins with no JSON object"),
        (b"", "begins with no JSON object"),
        (b"{}", "no node of type CLASS"),
    ],
)
def test_what_is_not_well_formed_is_said_with_its_place(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, content)
    assert said in str(caught.value)


def test_truncated_gzip_and_other_encodings(tmp_path: Path) -> None:
    packed = gzip.compress(WHOLE)
    with pytest.raises(InputError, match="truncated gzip"):
        read(tmp_path, packed[:-20])
    assert concepts(read(tmp_path, packed)) == concepts(read(tmp_path, WHOLE))
    assert concepts(read(tmp_path, WHOLE.decode().encode("utf-16"))) == concepts(read(tmp_path, WHOLE))
    assert concepts(read(tmp_path, b"\xef\xbb\xbf" + WHOLE)) == concepts(read(tmp_path, WHOLE))


def test_a_long_text_is_read(tmp_path: Path) -> None:
    graph = {"nodes": [{"id": "HP:1", "lbl": "n" * (10 << 20), "type": "CLASS"}]}
    assert [len(c.name) for c in concepts(read(tmp_path, graph)).values()] == [10 << 20]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(values, max_size=5), st.sampled_from([None, 0, 3]), st.booleans())
def test_values_of_a_stream_are_those_of_the_library(elements: list[Json], indent: int | None, ascii_: bool) -> None:
    class Dripping(io.BytesIO):
        """Gives a few bytes at a time, so that every value is cut somewhere."""

        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 7, 7) if size is not None and size >= 0 else 7)

    content = json.dumps(elements, indent=indent, ensure_ascii=ascii_).encode("utf-8", "replace")
    stream = JsonStream(Dripping(content), "x")
    assert [stream.value() for _ in stream.elements()] == json.loads(content)
    stream.finish()


@settings(max_examples=250, deadline=None)
@given(
    st.integers(0, 10**6), st.integers(0, 40), st.binary(max_size=12) | st.sampled_from([b"[", b"null", b'"', b"{}"])
)
def test_a_mutated_file_gives_records_or_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, at: int, cut: int, put: bytes
) -> None:
    at %= len(WHOLE)
    path = tmp_path_factory.getbasetemp() / "mutated.json"
    path.write_bytes(WHOLE[:at] + put + WHOLE[at + cut :])
    try:
        records = list(read_obographs(path, "x"))
    except InputError:
        return
    assert isinstance(records[0], Header)


@settings(max_examples=100, deadline=None)
@given(values)
def test_any_json_gives_records_or_an_input_error(tmp_path_factory: pytest.TempPathFactory, value: Json) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    for graph in (value, {"graphs": value}, {"graphs": [{"nodes": [{"type": "CLASS", "id": "X:1", "meta": value}]}]}):
        path.write_text(json.dumps(graph), encoding="utf-8")
        try:
            list(read_obographs(path, "x"))
        except InputError:
            continue


@pytest.mark.skipif(not (DATA / "symp").exists(), reason="the real releases of SYMP are not here")
def test_the_three_formats_of_symp_say_the_same() -> None:
    def view(records: list[Record]) -> tuple[object, ...]:
        ordered = {
            c.id: replace(c, synonyms=tuple(sorted(c.synonyms, key=repr)), xrefs=tuple(sorted(c.xrefs)))
            for c in concepts(records).values()
        }
        return records[0], ordered, statements(records), mappings(records)

    folder = DATA / "symp"
    obo = view(list(read_obo(folder / "symp.obo", "symp")))
    assert len(obo[1]) == 1020  # type: ignore[arg-type]
    assert len(obo[2]) == 898  # type: ignore[arg-type]
    assert view(list(read_owl(folder / "symp.owl.gz", "symp"))) == obo
    assert view(list(read_obographs(folder / "symp.json.gz", "symp"))) == obo


@pytest.mark.skipif(not (DATA / "hpo").exists(), reason="the real release of HPO is not here")
def test_reads_the_release_of_hpo() -> None:
    records = list(read_obographs(DATA / "hpo" / "hp.json.gz", "hp", prefixes=frozenset({"HP"})))
    assert records[0] == Header("2023-01-27", "https://hpo.jax.org/app/license")
    found = concepts(records)
    assert len(found) == 17245
    assert Synonym("Hyperthermia", "exact", "") in found["HP:0001945"].synonyms
    assert sum(isinstance(r, Fact) for r in records) == 21138
    assert not [r for r in records if isinstance(r, Reject)]


@pytest.mark.skipif(not (DATA / "doid").exists(), reason="the real releases of DOID are not here")
@pytest.mark.parametrize(
    ("name", "terms", "symptoms"),
    [("doid-2016-09-01.obo.gz", 9344, 0), ("doid-2026-07-31-rebuilt.obo.gz", 12247, 2265)],
)
def test_reads_releases_of_doid(name: str, terms: int, symptoms: int) -> None:
    records = list(read_obo(DATA / "doid" / name, "doid"))
    assert len(concepts(records)) == terms
    assert sum(isinstance(r, Fact) and r.statement.predicate is Predicate.HAS_PHENOTYPE for r in records) == symptoms

from __future__ import annotations

from pathlib import Path

import pyoxigraph as ox
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ehr.errors import InputError
from kg.readers.records import Fact, Header, Mapping, Reject
from kg.readers.skos import FORMAT, read_skos
from kg.readers.source import Context, Source
from kg.types import Synonym
from kg.vocabulary import Category, Predicate
from tests.kg.reader_records import concepts

TTL = """@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix xl: <http://www.w3.org/2008/05/skos-xl#> .
@prefix iso: <http://purl.org/iso25964/skos-thes#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix dcterms: <http://purl.org/dc/terms/> .
@prefix t: <http://example.org/thes/> .
t:scheme a skos:ConceptScheme ; owl:versionInfo "4.2" ; dcterms:license <https://example.org/l> .
t:c1 a skos:Concept ; skos:prefLabel "Disease"@en , "Krankheit"@de , "maladie"@fr ; skos:notation "A00" ;
  skos:altLabel "Illness"@en , "Leiden"@de , "Dz" ; skos:hiddenLabel "desease"@en-GB ; skos:narrower t:c3 ;
  skos:definition "A disorder."@en , "Eine Störung."@de ; skos:scopeNote "Not used."@en .
t:c2 a skos:Concept ; skos:prefLabel "Fever"@en ; skos:broader t:c1 ; skos:related t:c1 ; skos:notation "A01" ;
  skos:exactMatch <http://purl.obolibrary.org/obo/HP_0001945> ; skos:broadMatch <http://snomed.info/id/64572001> .
t:c3 a skos:Concept ; skos:broader t:c1 ; skos:scopeNote [ rdf:value "A note."@en ] ; skos:broaderTransitive t:c0 ;
  xl:prefLabel [ xl:literalForm "Heart valve"@en ] ; xl:altLabel t:label ; iso:broaderPartitive t:c4 .
t:label xl:literalForm "Valve"@en .
t:c4 a skos:Concept ; skos:prefLabel "Herz"@de ; owl:deprecated true ; dcterms:isReplacedBy t:c3 .
t:collection a skos:Collection ; skos:prefLabel "collection" ; skos:member t:c1 .
"""


def read(tmp_path: Path, content: str | bytes = TTL, name: str = "x.ttl", **options: object) -> list[object]:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_skos(path, "x", **options))  # type: ignore[arg-type]


def test_reads_concepts_in_the_default_language(tmp_path: Path) -> None:
    records = read(tmp_path)
    assert records[0] == Header("4.2", "https://example.org/l")
    found = concepts(records)
    assert {c.id: c.name for c in found.values()} == {
        "THES:c1": "Disease",
        "THES:c2": "Fever",
        "THES:c3": "Heart valve",
        "THES:c4": "Herz",
    }
    first = found["THES:c1"]
    assert set(first.synonyms) == {Synonym("Illness"), Synonym("Dz"), Synonym("desease", "related", "hidden")}
    assert (first.definition, first.xrefs) == ("A disorder.", ("A00",))
    assert (found["THES:c3"].definition, found["THES:c3"].synonyms) == ("A note.", (Synonym("Valve"),))
    assert (found["THES:c4"].deprecated, found["THES:c4"].replaced_by) == (True, "THES:c3")
    assert not [r for r in records if isinstance(r, Reject)]


@pytest.mark.parametrize(
    ("languages", "name", "synonyms"),
    [
        (["de"], "Krankheit", {"Leiden", "Dz"}),
        (["fr", "de"], "maladie", {"Krankheit", "Leiden", "Dz"}),
        (["es"], "Disease", {"Illness", "Dz"}),
        (["*"], "Disease", {"Krankheit", "maladie", "Illness", "Leiden", "Dz", "desease"}),
    ],
)
def test_languages(tmp_path: Path, languages: list[str], name: str, synonyms: set[str]) -> None:
    first = concepts(read(tmp_path, languages=languages))["THES:c1"]
    assert (first.name, {s.text for s in first.synonyms}) == (name, synonyms)


def test_hierarchy_relations_and_mappings(tmp_path: Path) -> None:
    records = read(tmp_path)
    facts = [r for r in records if isinstance(r, Fact)]
    assert {(f.statement.subject, f.statement.predicate, f.statement.object, f.evidence.note) for f in facts} == {
        ("THES:c2", Predicate.SUBCLASS_OF, "THES:c1", ""),
        ("THES:c3", Predicate.SUBCLASS_OF, "THES:c1", ""),
        ("THES:c3", Predicate.PART_OF, "THES:c4", ""),
        ("THES:c2", Predicate.RELATED_TO, "THES:c1", "related"),
    }
    down = next(f for f in facts if f.statement.subject == "THES:c3" and f.statement.object == "THES:c1")
    assert down.evidence.subject_as_written == "http://example.org/thes/c3"
    assert {(m.subject, m.predicate, m.object) for m in records if isinstance(m, Mapping)} == {
        ("THES:c2", "skos:exactMatch", "HP:0001945"),
        ("THES:c2", "skos:broadMatch", "SNOMEDCT_US:64572001"),
        ("THES:c4", "IAO:0100001", "THES:c3"),
    }


def test_ids_by_notation_and_by_namespace(tmp_path: Path) -> None:
    path = tmp_path / "x.ttl"
    path.write_text(TTL, encoding="utf-8")
    options = {"id": "notation", "lang": "de,en"}
    source = Source("x", "skos", path, prefixes=frozenset({"ICD10"}), category=Category.DISEASE, options=options)
    records = list(FORMAT.read(source, Context()))
    found = concepts(records)  # type: ignore[arg-type]
    assert {(c.id, c.name, c.category) for c in found.values()} == {
        ("ICD10:A00", "Krankheit", Category.DISEASE),
        ("ICD10:A01", "Fever", Category.DISEASE),
    }
    assert [(r.record, r.reason) for r in records if isinstance(r, Reject)] == [
        ("ICD10:A00", "object 'http://example.org/thes/c3' gives no id"),
        ("http://example.org/thes/c3", "has no notation"),
        ("http://example.org/thes/c4", "has no notation"),
    ]
    by_namespace = read(tmp_path, prefixes=frozenset({"T"}), namespace="http://example.org/thes/c")
    assert list(concepts(by_namespace)) == ["T:1", "T:2", "T:3", "T:4"]
    with pytest.raises(InputError, match="exactly one prefix"):
        read(tmp_path, by_notation=True)
    with pytest.raises(InputError, match="expected iri or notation"):
        list(FORMAT.read(Source("x", "skos", path, options={"id": "label"}), Context()))


def test_an_owl_file_is_no_thesaurus(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no skos:Concept in it"):
        read(tmp_path, TTL.replace("skos:Concept ", "owl:Class "))


@pytest.mark.parametrize("kind", ["RDF_XML", "N_TRIPLES", "JSON_LD", "TRIG"])
def test_every_syntax_says_the_same(tmp_path: Path, kind: str) -> None:
    triples = [q.triple for q in ox.parse(input=TTL, format=ox.RdfFormat.TURTLE)]
    syntax = getattr(ox.RdfFormat, kind)
    content = ox.serialize(triples, format=syntax)
    assert content is not None
    records = read(tmp_path, content, f"x.{syntax.file_extension}")
    assert {r.statement for r in records if isinstance(r, Fact)} == {
        r.statement for r in read(tmp_path) if isinstance(r, Fact)
    }
    assert {c.id: c.name for c in concepts(records).values()} == {
        c.id: c.name for c in concepts(read(tmp_path)).values()
    }


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 40), st.binary(max_size=12))
def test_a_mutated_file_gives_records_or_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, at: int, cut: int, put: bytes
) -> None:
    content = TTL.encode()
    at %= len(content)
    path = tmp_path_factory.getbasetemp() / "mutated-skos.ttl"
    path.write_bytes(content[:at] + put + content[at + cut :])
    try:
        records: list[object] = list(read_skos(path, "x"))
    except InputError:
        return
    assert concepts(records)

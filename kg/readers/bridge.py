"""The curated bridge (``kg/knowledge/critical_care.ttl``) and files of its form, in the RDF syntax that the name tells.

Concepts are typed with Biolink categories; a statement is a ``crg:Assertion`` with subject, predicate, object,
strength, source and ``checked``; ``skos:altLabel`` on anything else is a further name of a concept of another source.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from rdflib import DCTERMS, OWL, RDF, RDFS, SKOS, BNode, Graph, Literal, Namespace, URIRef
from rdflib.term import Node

from ehr.errors import InputError
from ehr.files import JsonValue
from kg.readers.curies import is_curie, normalise
from kg.readers.lines import open_binary
from kg.readers.packing import printable
from kg.readers.records import Fact, Header, Mapping, Name, Record, Records, Reject
from kg.types import Concept, Evidence, Statement, Synonym
from kg.vocabulary import Category, Predicate

CRG = Namespace("urn:clinragen:vocab:")
BIOLINK = "https://w3id.org/biolink/vocab/"
LARGEST = 16 << 20
"""Bytes; an RDF file is held as a whole, and statements curated by hand are few."""

_SYNTAX = {".ttl": "turtle", ".nt": "nt", ".rdf": "xml", ".owl": "xml", ".jsonld": "json-ld", ".trig": "trig"}
_CATEGORIES = {category.value.split(":", 1)[1]: category for category in Category}


def _predicate(node: Node | None) -> Predicate:
    text = str(node)
    for head, prefix in ((BIOLINK, "biolink:"), (str(CRG), "clinragen:")):
        if text.startswith(head):
            return Predicate(prefix + text.removeprefix(head))
    raise ValueError(f"unknown predicate {text[:60]!r}")


def _version(graph: Graph) -> Header:
    for node in sorted(set(graph.subjects(DCTERMS.title, None)), key=str):
        return Header(
            str(graph.value(node, OWL.versionInfo) or "")[:100], str(graph.value(node, DCTERMS.license) or "")
        )
    return Header()


def _local(node: Node) -> str:
    return (str(node).rpartition("/")[2].rpartition(":")[2] or str(node) or "blank node")[:60]


class _Reader:
    def __init__(self, graph: Graph, source: str, version: str) -> None:
        self.graph, self.source, self.version = graph, source, version

    def concepts(self) -> Iterator[Record]:
        """Yield the concepts that the file itself declares, then names and mappings of others."""
        declared: set[Node] = set()
        for name, category in sorted(_CATEGORIES.items()):
            for node in sorted(set(self.graph.subjects(RDF.type, URIRef(BIOLINK + name))), key=str):
                curie = normalise(str(node))
                if node in declared or not is_curie(curie):
                    yield Reject(_local(node), "second category" if node in declared else "its IRI gives no CURIE")
                    continue
                declared.add(node)
                label = self.graph.value(node, RDFS.label)
                if label is None:
                    yield Reject(_local(node), "concept without rdfs:label")
                yield Concept(
                    id=curie,
                    category=category,
                    name=str(label or ""),
                    source=self.source,
                    synonyms=tuple(Synonym(text, "exact", "") for text in self._names(node)),
                    definition=str(self.graph.value(node, SKOS.definition) or ""),
                )
        for node in sorted(set(self.graph.subjects(SKOS.altLabel, None)) - declared, key=str):
            for text in self._names(node):
                yield Name(normalise(str(node)), Synonym(text, "exact", "layperson"))
        for match in (SKOS.exactMatch, SKOS.closeMatch, SKOS.broadMatch, SKOS.narrowMatch, SKOS.relatedMatch):
            for subject, target in sorted(self.graph.subject_objects(match), key=str):
                yield Mapping(normalise(str(subject)), f"skos:{_local(match).split('#')[-1]}", normalise(str(target)))

    def _names(self, node: Node) -> list[str]:
        return sorted({" ".join(str(text).split()) for text in self.graph.objects(node, SKOS.altLabel)} - {""})

    def assertions(self) -> Iterator[Record]:
        """Yield the statements with their evidence, by the name of the assertion."""
        for node in sorted(set(self.graph.subjects(RDF.type, CRG.Assertion)), key=str):
            name = "blank node" if isinstance(node, BNode) else _local(node)
            try:
                yield self._fact(node)
            except ValueError as error:
                yield Reject(name, str(error))

    def _one(self, node: Node, predicate: URIRef) -> Node:
        values = list(self.graph.objects(node, predicate))
        if len(values) != 1:
            raise ValueError(f"expected one {_local(predicate).split('#')[-1]}, found {len(values)}")
        return values[0]

    def _fact(self, node: Node) -> Fact:
        written = {name: self._one(node, CRG[name]) for name in ("subject", "object")}
        ends = {name: normalise(str(value)) for name, value in written.items()}
        for name, curie in ends.items():
            if not is_curie(curie):
                raise ValueError(f"{name} {curie[:60]!r} gives no CURIE")
        negated = self.graph.value(node, CRG.negated)
        statement = Statement(
            ends["subject"],
            _predicate(self._one(node, CRG.predicate)),
            ends["object"],
            negated is not None and _boolean(negated, "negated"),
        )
        sources = sorted(str(source) for source in self.graph.objects(node, DCTERMS.source))
        if not sources:
            raise ValueError("no dcterms:source")
        evidence = Evidence(
            statement=statement.id,
            source=self.source,
            version=self.version,
            publications=tuple(sources),
            weight=_strength(self._one(node, CRG.strength)),
            subject_as_written=str(written["subject"]),
            object_as_written=str(written["object"]),
            checked=_boolean(self._one(node, CRG.checked), "checked"),
            note=str(self.graph.value(node, RDFS.comment) or ""),
        )
        return Fact(statement, evidence)


def _strength(node: Node) -> float:
    try:
        value = float(str(node))
    except ValueError as error:
        raise ValueError("strength is no number") from error
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"strength {value:g} lies outside 0 to 1")
    return value


def _boolean(node: Node, name: str) -> bool:
    value = node.toPython() if isinstance(node, Literal) else None
    if not isinstance(value, bool):
        raise ValueError(f"{name} is neither true nor false")
    return value


def _parse(path: Path, content: bytes, syntax: str) -> Graph:
    graph = Graph()
    try:
        if syntax == "json-ld" and _refers_elsewhere(json.loads(content)):
            raise InputError(
                "its @context stands elsewhere, and nothing is fetched", where=path, remedy="write it here"
            )
        graph.parse(data=content, format=syntax)
        for triple in graph:
            "".join(map(str, triple)).encode()
    except InputError:
        raise
    except UnicodeEncodeError as error:
        raise InputError("holds half of a pair of characters (\\ud800)", where=path) from error
    except Exception as error:  # rdflib's parsers raise many unrelated classes
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"not valid {syntax} ({printable(first[:120])})", where=path) from error
    return graph


def _refers_elsewhere(value: JsonValue) -> bool:
    """Say whether a JSON-LD document takes a context from another place, which rdflib would fetch."""
    if isinstance(value, list):
        return any(map(_refers_elsewhere, value))
    if not isinstance(value, dict):
        return False
    for key, held in value.items():
        if key == "@import" or (key == "@context" and any(isinstance(c, str) for c in _many(held))):
            return True
        if _refers_elsewhere(held):
            return True
    return False


def _many(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else [value]


def read_bridge(path: Path, source: str) -> Records:
    """Read curated statements, plain or gzipped.

    Raises:
        InputError: where the file cannot be read, is not well formed or holds no assertion.
    """
    suffixes = [suffix for suffix in path.suffixes if suffix != ".gz"]
    syntax = _SYNTAX.get(suffixes[-1] if suffixes else "", "turtle")
    with open_binary(path) as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise InputError(f"larger than {LARGEST >> 20} MiB", where=path, remedy="curated statements take a few MiB")
    graph = _parse(path, content, syntax)
    header = _version(graph)
    yield header
    reader = _Reader(graph, source, header.version)
    yield from reader.concepts()
    if (None, RDF.type, CRG.Assertion) not in graph:
        raise InputError("no crg:Assertion in it", where=path)
    yield from reader.assertions()

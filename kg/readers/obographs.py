"""Ontologies in OBO Graphs JSON (``hp.json``, ``mondo.json`` …), read node by node and never held whole.

A node of type CLASS becomes a concept, an edge a statement by the table of relations; of a logical definition genus and
restrictions are stated with the note "logical definition", unless an edge asserts them as well. The nodes of an
equivalent set are exact matches. A file may hold several graphs, each with its own version; it is read twice, since an
edge may stand before the version and the properties that it needs.

Source: https://github.com/geneontology/obographs, README-owlmapping.md and schema/obographs-schema.json.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ehr.errors import InputError
from kg.readers.curies import is_curie, normalise
from kg.readers.json_stream import Json, JsonStream
from kg.readers.lines import open_binary
from kg.readers.rdf import DC, DCTERMS, OBO, OIO, SKOS, Names
from kg.readers.records import EXACT_MATCH, Fact, Header, Mapping, Record, Records, Reject
from kg.readers.relations import is_match, mapping_predicate, relation, relation_name
from kg.readers.source import Format
from kg.readers.terms import EQUIVALENT, LOGICAL, Term, TermWriter, release
from kg.types import Statement
from kg.vocabulary import Category, Predicate

Object = dict[str, Json]

_ARRAYS = ("nodes", "edges", "equivalentNodesSets", "logicalDefinitionAxioms")
_INFO, _LICENCES = "http://www.w3.org/2002/07/owl#versionInfo", (DCTERMS + "license", DC + "license", DC + "rights")
_IS_A = ("is_a", "subClassOf", "http://www.w3.org/2000/01/rdf-schema#subClassOf")
_OF_PROPERTIES = ("subPropertyOf", "inverseOf", "type")
_SCOPES = {"Exact": "exact", "Narrow": "narrow", "Broad": "broad", "Related": "related"}


@dataclass(slots=True)
class _Survey:
    """What the first pass finds of one graph.

    Attributes:
        properties: label and short name of those nodes that are no classes.
        logical: class, relation and object of what logical definitions say, as written.
    """

    version: str = ""
    licence: str = ""
    classes: int = 0
    properties: dict[str, tuple[str, str]] = field(default_factory=dict)
    logical: dict[tuple[str, str, str], None] = field(default_factory=dict)


def _parts(path: Path) -> Iterator[tuple[int, str, int, Json]]:
    """Yield number of the graph, name of the member, number of the element, element; ``end`` after each graph."""
    with open_binary(path) as file:
        stream = JsonStream(file, str(path))
        if stream.peek() != "{":
            raise InputError("begins with no JSON object", where=path, remedy="is this OBO Graphs JSON?")
        graphs = 0
        for key in stream.members():
            if key == "graphs" and stream.peek() == "[":
                for _ in stream.elements():
                    if stream.peek() != "{":
                        stream.skip()
                        continue
                    for name in stream.members():
                        yield from _member(stream, graphs, name)
                    yield graphs, "end", 0, None
                    graphs += 1
            elif not graphs:
                yield from _member(stream, 0, key)  # a file of one graph, without a list around it
            else:
                stream.skip()
        if not graphs:
            yield 0, "end", 0, None
        stream.finish()


def _member(stream: JsonStream, graph: int, name: str) -> Iterator[tuple[int, str, int, Json]]:
    if name in _ARRAYS and stream.peek() == "[":
        for number, _ in enumerate(stream.elements(), 1):
            element = stream.value()
            if isinstance(element, dict) and name == "nodes":
                stream.after = _text(element, "id")
            yield graph, name, number, element
    elif name == "meta" and stream.peek() == "{":
        yield graph, name, 0, stream.value()
    else:
        stream.skip()


def _text(value: Json, key: str) -> str:
    """Give a member that is a text; empty where it is none. Halves of surrogate pairs are no text and are replaced."""
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, str):
        return ""
    return found if found.isascii() else found.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _objects(value: Json, key: str) -> list[Object]:
    found = value.get(key) if isinstance(value, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _object(value: Json, key: str) -> Object:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _values(meta: Object) -> Iterator[tuple[str, str]]:
    for one in _objects(meta, "basicPropertyValues"):
        yield _text(one, "pred"), _text(one, "val")


class _Reader:
    def __init__(self, path: Path, writer: TermWriter) -> None:
        self.path, self.writer, self.names = path, writer, Names()
        self.surveys: list[_Survey] = []
        self.terms = 0

    def survey(self) -> Header:
        """Make the first pass."""
        for graph, name, _, element in _parts(self.path):
            while len(self.surveys) <= graph:
                self.surveys.append(_Survey())
            survey = self.surveys[graph]
            if name == "meta" and isinstance(element, dict):
                self._meta(survey, element)
            elif name == "nodes" and isinstance(element, dict):
                if _text(element, "type") == "CLASS":
                    survey.classes += 1
                else:
                    short = dict(_values(_object(element, "meta"))).get(OIO + "shorthand", "")
                    survey.properties[_text(element, "id")] = _text(element, "lbl"), short
            elif name == "logicalDefinitionAxioms" and isinstance(element, dict):
                survey.logical |= dict.fromkeys(_definition(element))
        if not any(one.classes for one in self.surveys):
            raise InputError("no node of type CLASS in it", where=self.path, remedy="is this OBO Graphs JSON?")
        first = self.surveys[0]
        return Header(first.version, first.licence)

    def _meta(self, survey: _Survey, meta: Object) -> None:
        values = dict(_values(meta))
        iri, info = _text(meta, "version"), values.get(_INFO, "")
        survey.version = release(iri if "releases/" in iri or not info else info)
        survey.licence = next((values[name] for name in _LICENCES if values.get(name)), "")

    def records(self) -> Iterator[Record]:
        """Make the second pass and yield the records in the order of the file."""
        for graph, name, number, element in _parts(self.path):
            survey = self.surveys[graph]
            self.writer.version = survey.version
            if name == "end":
                for sub, pred, obj in survey.logical:
                    yield from self._edge("logical definition", survey, sub, pred, obj, logical=True)
            elif name == "meta" or name == "logicalDefinitionAxioms":
                continue
            elif not isinstance(element, dict):
                yield Reject(f"graph {graph + 1}, {name} {number}", "expected an object")
            elif name == "nodes":
                yield from self._node(f"graph {graph + 1}, node {number}", survey, element)
            elif name == "edges":
                sub, pred, obj = _text(element, "sub") or _text(element, "subj"), _text(element, "pred"), ""
                obj = _text(element, "obj")
                survey.logical.pop((sub, pred, obj), None)
                yield from self._edge(f"graph {graph + 1}, edge {number}", survey, sub, pred, obj)
            else:
                yield from self._equivalent(element)

    def _id(self, written: str) -> str:
        """Give the CURIE of an id, which is an IRI or a CURIE already; empty where it gives none."""
        found = self.names.curie(written) if "://" in written else normalise(written)
        return found if is_curie(found) else ""

    def _node(self, where: str, survey: _Survey, node: Object) -> Iterator[Record]:
        if _text(node, "type") != "CLASS":
            return
        written = _text(node, "id")
        term = Term(id=self._id(written), written=written)
        if not term.id:
            yield Reject(where, f"id {written[:80]!r} gives no CURIE" if written else "node without an id")
            return
        if not self.writer.wants(term.id):
            return
        meta = _object(node, "meta")
        term.add_name(_text(node, "lbl"))
        term.add_definition(_text(_object(meta, "definition"), "val"))
        term.obsolete = meta.get("deprecated") is True
        for one in _objects(meta, "synonyms"):
            scope = next((s for name, s in _SCOPES.items() if name in _text(one, "pred")), "related")
            term.add_synonym(_text(one, "val"), scope, _kind(survey, _text(one, "synonymType")))
        for one in _objects(meta, "xrefs"):
            exact = any(value == EQUIVALENT for _, value in _values(_object(one, "meta")))
            if target := _text(one, "val").strip():
                term.add_xref(target, exact)
        for predicate, value in _values(meta):
            self._value(term, predicate, value)
        if term.bare:
            yield from term.mappings
            return
        self.terms += 1
        yield from self.writer.records(term)

    def _value(self, term: Term, predicate: str, value: str) -> None:
        if not value.strip():
            return
        written = self.names.curie(value) or value if "://" in value else value.strip()
        if predicate == OIO + "hasAlternativeId":
            term.add_former(written)
        elif predicate == OBO + "IAO_0100001":
            term.add_successor(written)
        elif predicate == OIO + "consider":
            term.add_consider(written)
        elif predicate.startswith(SKOS) and is_match(mapping_predicate(predicate)):
            term.add_match(mapping_predicate(predicate), written)

    def _edge(
        self, where: str, survey: _Survey, sub: str, pred: str, obj: str, *, logical: bool = False
    ) -> Iterator[Fact | Reject]:
        if pred in _OF_PROPERTIES or sub in survey.properties:
            return
        subject, target = self._id(sub), self._id(obj)
        if not (subject and target and pred):
            yield Reject(where, "expected sub, pred and obj, the ends as IRI or CURIE")
            return
        if not self.writer.wants(subject):
            return
        if pred in _IS_A:
            predicate, name = Predicate.SUBCLASS_OF, ""
        else:
            predicate, name = relation(pred)
            if predicate is Predicate.RELATED_TO and (short := survey.properties.get(pred, ("", ""))[1]):
                predicate, name = relation(short)
        note = "; ".join(one for one in (name, LOGICAL if logical else "") if one)
        yield self.writer.fact(Statement(subject, predicate, target), sub, obj, note)

    def _equivalent(self, element: Object) -> Iterator[Mapping]:
        listed = element.get("nodeIds")
        ids = [self._id(one) for one in listed if isinstance(one, str)] if isinstance(listed, list) else []
        first = self._id(_text(element, "representativeNodeId"))
        ordered = list(dict.fromkeys(one for one in (first, *ids) if one))
        ordered.sort(key=lambda one: not self.writer.wants(one))
        for other in ordered[1:]:
            if self.writer.wants(ordered[0]):
                yield Mapping(ordered[0], EXACT_MATCH, other)


def _kind(survey: _Survey, written: str) -> str:
    """Give the name of a synonym type: its own where it has one (``layperson``), else its label."""
    name = relation_name(written) if written else ""
    return survey.properties.get(written, ("", ""))[0] or name if ":" in name else name


def _definition(element: Object) -> Iterator[tuple[str, str, str]]:
    """Yield what a logical definition says: class, relation, object."""
    defined, genera = _text(element, "definedClassId"), element.get("genusIds")
    for genus in genera if isinstance(genera, list) else ():
        if isinstance(genus, str):
            yield defined, "is_a", genus
    for one in _objects(element, "restrictions"):
        yield defined, _text(one, "propertyId"), _text(one, "fillerId")


def read_obographs(
    path: Path, source: str, *, prefixes: frozenset[str] = frozenset(), category: Category | None = None
) -> Records:
    """Read OBO Graphs JSON, plain or packed.

    Args:
        path: the file.
        source: name of the source in concepts and evidence.
        prefixes: where given, only nodes with these prefixes become concepts (an ontology's own, not its imports).
        category: category of all nodes; by default told by each id's prefix.

    Raises:
        InputError: where the file cannot be read, is not well formed or holds no node of type CLASS.
    """
    reader = _Reader(path, TermWriter(source, prefixes, category))
    yield reader.survey()
    yield from reader.records()
    if not reader.terms:
        raise InputError(
            f"no node{reader.writer.which} with a name in it", where=path, remedy="is this OBO Graphs JSON?"
        )


FORMAT = Format(
    name="obographs",
    read=lambda source, _: read_obographs(source.path, source.name, prefixes=source.prefixes, category=source.category),
    title="ontology in OBO Graphs JSON",
    specification="OBO Graphs, https://github.com/geneontology/obographs",
    example="obographs:hp.json.gz?prefix=HP",
    met="HPO 2023-01-27, SYMP 2026-07-30",
)

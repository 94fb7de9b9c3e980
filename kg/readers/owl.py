"""OWL ontologies (Mondo, Uberon, DOID, ORDO, EFO …) in RDF/XML, Turtle, N-Triples or JSON-LD.

A class becomes a concept with what the reader of OBO knows too: label, definition (IAO:0000115), synonyms with scope
and type, cross-references, former ids, successor, deprecation; SKOS labels and mappings are taken as well.
``subClassOf`` a named class is ``subclass_of``; ``subClassOf`` an existential restriction (``someValuesFrom`` a named
class) is a statement by the table of relations. Of an equivalent intersection each such part follows by itself and is
stated with the note "logical definition", unless it is asserted as well. Universal, cardinality and value restrictions,
unions, complements and restrictions whose filler has no name state nothing that the graph holds. Individuals are no
concepts.

RDF has no order: what the file says of a class is gathered until its end, and nothing else of the file is kept.

Source: OWL 2 mapping to RDF graphs, https://www.w3.org/TR/owl2-mapping-to-rdf/; oboInOwl as in OBO 1.4, section 5.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ehr.errors import InputError
from kg.readers.held import RDF_OPTIONS, Held, Languages, Said, gather, names, spelled
from kg.readers.rdf import LICENCES, OBO, OIO, OWL, RDF, RDFS, SKOS, TYPE, VOCABULARIES, Names, Node
from kg.readers.records import EXACT_MATCH, Header, Record, Records, Reject
from kg.readers.relations import mapping_predicate, relation, relation_name
from kg.readers.source import Format, Source
from kg.readers.terms import EQUIVALENT, Term, TermWriter, release
from kg.vocabulary import Category, Predicate

_CLASSES = frozenset((OWL + "Class", RDFS + "Class", OWL + "DeprecatedClass"))
_LABELS = (RDFS + "label", SKOS + "prefLabel")
_DEFINITIONS = (OBO + "IAO_0000115", SKOS + "definition", "http://www.ebi.ac.uk/efo/definition")
_SYNONYMS = {
    OIO + "hasExactSynonym": "exact",
    OIO + "hasNarrowSynonym": "narrow",
    OIO + "hasBroadSynonym": "broad",
    OIO + "hasRelatedSynonym": "related",
    OIO + "hasSynonym": "related",
    OBO + "IAO_0000118": "exact",
    SKOS + "altLabel": "exact",
    SKOS + "hiddenLabel": "related",
    "http://www.ebi.ac.uk/efo/alternative_term": "exact",
}
_XREF, _FORMER, _CONSIDER = OIO + "hasDbXref", OIO + "hasAlternativeId", OIO + "consider"
_SUCCESSOR, _DEPRECATED = OBO + "IAO_0100001", OWL + "deprecated"
_MATCHES = tuple(f"{SKOS}{name}Match" for name in ("exact", "close", "broad", "narrow", "related"))
_SUB, _SAME, _AND = RDFS + "subClassOf", OWL + "equivalentClass", OWL + "intersectionOf"
_ON, _SOME, _FIRST, _REST = OWL + "onProperty", OWL + "someValuesFrom", RDF + "first", RDF + "rest"
_OF, _ABOUT, _SAYS = OWL + "annotatedSource", OWL + "annotatedProperty", OWL + "annotatedTarget"
_KIND, _FROM, _SHORT, _HIDDEN = OIO + "hasSynonymType", OIO + "source", OIO + "shorthand", SKOS + "hiddenLabel"
_VERSION, _INFO = OWL + "versionIRI", OWL + "versionInfo"
_OF_CLASSES = (*_LABELS, *_DEFINITIONS, *_SYNONYMS, _XREF, _FORMER, _CONSIDER, _SUCCESSOR, _DEPRECATED, *_MATCHES)
_OF_AXIOMS = (TYPE, _SUB, _SAME, _AND, _ON, _SOME, _FIRST, _REST, _OF, _ABOUT, _SAYS, _KIND, _FROM, _SHORT)
_WANTED = frozenset((*_OF_CLASSES, *_OF_AXIOMS, _VERSION, _INFO, *LICENCES))


class _Reader:
    """Turns what has been gathered of each class into its records."""

    def __init__(self, held: Held, writer: TermWriter, names: Names, languages: Languages) -> None:
        self.held, self.writer, self.names, self.languages = held, writer, names, languages
        self.terms = 0
        self._notes = self._annotations()

    def _annotations(self) -> dict[tuple[str, str, str], str]:
        """Give what is noted on a value (a synonym's type, Mondo's mark) by subject, predicate and value."""
        notes: dict[tuple[str, str, str], str] = {}
        for subject in self.held.subjects():
            said = self.held.of(subject)
            of, about, value = said.first(_OF), said.first(_ABOUT), said.all(_SAYS)
            if not of or not about or not value:
                continue
            self.held.drop(subject)
            text = value[0] if isinstance(value[0], str) else value[0].text
            if kind := said.first(_KIND):
                notes[of, about, text] = kind
            elif any(self._written(one) == EQUIVALENT for one in said.all(_FROM)):
                notes[of, about, text] = EQUIVALENT
        return notes

    def header(self) -> Header:
        """Read version and licence of the ontology."""
        for _, said in self.held.typed(OWL + "Ontology"):
            iri, info = said.first(_VERSION), said.first(_INFO)
            self.writer.version = release(iri if "releases/" in iri or not info else info)
            return Header(self.writer.version, said.first(*LICENCES))
        return Header()

    def records(self) -> Iterator[Record]:
        """Yield the records of every class, in the order of the file."""
        for iri in self.held.subjects():
            if iri.startswith(("_:", *VOCABULARIES)):
                continue
            said = self.held.of(iri)
            types = said.iris(TYPE)
            if not any(one in _CLASSES for one in types) and (types or not said.all(_SUB)):
                continue
            self.held.drop(iri)
            curie = self.names.curie(iri)
            if not curie:
                yield Reject(iri[:120], "its IRI gives no CURIE")
            elif self.writer.wants(curie):
                yield from self._term(iri, curie, said)

    def _term(self, iri: str, curie: str, said: Said) -> Iterator[Record]:
        term = Term(id=curie, written=iri)
        term.obsolete = said.first(_DEPRECATED).lower() in ("true", "1")
        self._describe(term, iri, said)
        self._mappings(term, iri, said)
        yield from self._relations(term, said)
        if term.bare:
            yield from term.mappings
            return
        term.add_name(spelled(iri))
        self.terms += 1
        yield from self.writer.records(term)

    def _describe(self, term: Term, iri: str, said: Said) -> None:
        labels = said.texts(*_LABELS)
        name = self.languages.best(labels)
        if name is not None:
            term.add_name(name.text)
        if definition := self.languages.best(said.texts(*_DEFINITIONS)):
            term.add_definition(definition.text)
        others = self.languages.accepted((one for one in labels if one != name), name)
        for text in others:
            if " ".join(text.split()) != term.name:
                term.add_synonym(text, "exact")
        for predicate, scope in _SYNONYMS.items():
            for text in self.languages.accepted(said.texts(predicate), name):
                kind = self._kind(self._notes.get((iri, predicate, text), ""))
                term.add_synonym(text, scope, kind or ("hidden" if predicate == _HIDDEN else ""))

    def _kind(self, iri: str) -> str:
        """Give the name of a synonym type: its own where it has one (``layperson``), else its label."""
        if not iri or iri == EQUIVALENT:
            return ""
        if "#" in iri:
            return iri.rpartition("#")[2]
        name = relation_name(iri)
        return self.held.of(iri).first(*_LABELS) or name if ":" in name else name

    def _mappings(self, term: Term, iri: str, said: Said) -> None:
        for node in said.all(_XREF):
            written = self._written(node)
            value = node if isinstance(node, str) else node.text
            if written.strip():
                term.add_xref(written.strip(), self._notes.get((iri, _XREF, value)) == EQUIVALENT)
        for node in said.all(_FORMER):
            term.add_former(self._written(node))
        for node in said.all(_SUCCESSOR):
            term.add_successor(self._written(node))
        for node in said.all(_CONSIDER):
            term.add_consider(self._written(node))
        for predicate in _MATCHES:
            for node in said.all(predicate):
                term.add_match(mapping_predicate(predicate), self._written(node))

    def _written(self, node: Node) -> str:
        """Give an id as the file has it: a literal's text, or an IRI as CURIE where it gives one."""
        return (self.names.curie(node) or node) if isinstance(node, str) else node.text

    def _relations(self, term: Term, said: Said) -> Iterator[Reject]:
        for node in said.iris(_SUB):
            yield from self._parts(term, node, logical=False)
        for node in said.iris(_SAME):
            if node.startswith("_:"):
                yield from self._parts(term, node, logical=True)
            elif not node.startswith(VOCABULARIES):
                term.add_match(EXACT_MATCH, self._written(node))
        for node in said.iris(_AND):  # an intersection without an equivalence around it, as OWL 1 had it
            for member in self._members(node):
                yield from self._parts(term, member, logical=True)

    def _parts(self, term: Term, node: str, *, logical: bool) -> Iterator[Reject]:
        """Take a class expression apart: named classes, restrictions to a named class, intersections of such."""
        rest, seen = [node], set[str]()
        while rest:
            one = rest.pop()
            if not one.startswith("_:"):
                yield from self._add(term, "", one, logical=logical)
                continue
            if one in seen:
                continue
            seen.add(one)
            said = self.held.of(one)
            on, some = said.first(_ON), said.first(_SOME)
            if on and some and not on.startswith("_:") and not some.startswith("_:"):
                yield from self._add(term, on, some, logical=logical)
            for members in said.iris(_AND):
                rest.extend(reversed(self._members(members)))

    def _members(self, node: str) -> list[str]:
        """Give the members of an RDF list."""
        members, seen = list[str](), set[str]()
        while node.startswith("_:") and node not in seen:
            seen.add(node)
            said = self.held.of(node)
            members += said.iris(_FIRST)[:1]
            node = said.first(_REST)
        return members

    def _add(self, term: Term, on: str, target: str, *, logical: bool) -> Iterator[Reject]:
        if target.startswith(VOCABULARIES):
            return  # owl:Thing
        curie = self.names.curie(target)
        if not curie:
            yield Reject(term.id, f"object {target[:80]!r}: its IRI gives no CURIE")
        elif on:
            name = on if relation(on)[0] is not Predicate.RELATED_TO else self.held.of(on).first(_SHORT) or on
            term.add_relation(name, target, curie, logical=logical)
        else:
            term.add_parent(target, curie, logical=logical)


def read_owl(
    path: Path,
    source: str,
    *,
    prefixes: frozenset[str] = frozenset(),
    category: Category | None = None,
    languages: Sequence[str] = ("en",),
    namespace: str = "",
) -> Records:
    """Read an OWL ontology, plain or packed.

    Args:
        path: the file; its suffix and its first bytes tell the syntax.
        source: name of the source in concepts and evidence.
        prefixes: where given, only classes with these prefixes become concepts (an ontology's own, not its imports).
        category: category of all classes; by default told by each id's prefix.
        languages: of names, the first ones preferred.
        namespace: what the IRIs of the ontology's own classes begin with; the one prefix of ``prefixes`` stands for it.

    Raises:
        InputError: where the file cannot be read, is not well formed or holds no class at all.
    """
    held, rejects = gather(path, _WANTED)
    writer = TermWriter(source, prefixes, category)
    reader = _Reader(held, writer, names(path, namespace, prefixes), Languages(languages))
    yield reader.header()
    yield from rejects
    yield from reader.records()
    if not reader.terms:
        raise InputError(f"no owl:Class{writer.which} in it", where=path, remedy="is this an OWL ontology?")


def _read(source: Source) -> Records:
    return read_owl(
        source.path,
        source.name,
        prefixes=source.prefixes,
        category=source.category,
        languages=source.options.get("lang", "en").split(","),
        namespace=source.options.get("namespace", ""),
    )


FORMAT = Format(
    name="owl",
    read=lambda source, _: _read(source),
    title="OWL ontology in RDF/XML, Turtle, N-Triples or JSON-LD",
    specification="OWL 2 Web Ontology Language, Mapping to RDF Graphs, https://www.w3.org/TR/owl2-mapping-to-rdf/",
    example="owl:mondo.owl?prefix=MONDO",
    met="SYMP 2026-07-30 (RDF/XML)",
    options=RDF_OPTIONS,
)

"""OBO 1.2 and 1.4 ontologies (HPO, DOID, SYMP …), read tolerantly: a bad line becomes a reject, the term stays.

Read: names, definitions, synonyms of every scope and type, cross-references, former ids, obsolescence, ``is_a`` and
``relationship``. Logical definitions (``intersection_of`` …) state no relation between two concepts and are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ehr.errors import InputError
from kg.readers import obo_syntax as syntax
from kg.readers.curies import category_of, is_citation, is_curie, normalise
from kg.readers.lines import read_lines
from kg.readers.records import REPLACED_BY, XREF, Fact, Header, Mapping, Record, Records, Reject
from kg.readers.source import Format
from kg.types import Concept, Evidence, Statement, Synonym
from kg.vocabulary import Category, Predicate

_SCOPES = ("EXACT", "NARROW", "BROAD", "RELATED")
_OLD_SYNONYMS = {f"{scope.lower()}_synonym": scope for scope in _SCOPES}  # tags of OBO 1.0

RELATIONS = {
    "has_symptom": Predicate.HAS_PHENOTYPE,
    "has_phenotype": Predicate.HAS_PHENOTYPE,
    "RO:0002200": Predicate.HAS_PHENOTYPE,
    "RO:0002452": Predicate.HAS_PHENOTYPE,
    "treats": Predicate.TREATS,
    "RO:0002606": Predicate.TREATS,
    "predisposes_towards": Predicate.PREDISPOSES_TO,
    "RO:0019501": Predicate.RELATED_TO,
}
"""OBO relations that the graph has a predicate for; every other is `Predicate.RELATED_TO`, its name in the note."""


@dataclass(slots=True)
class _Term:
    """What the clauses of one ``[Term]`` add up to."""

    id: str = ""
    written: str = ""
    name: str = ""
    definition: str = ""
    obsolete: bool = False
    replaced_by: str | None = None
    synonyms: list[Synonym] = field(default_factory=list)
    xrefs: list[str] = field(default_factory=list)
    mappings: list[Mapping] = field(default_factory=list)
    relations: list[tuple[Predicate, str, str]] = field(default_factory=list)


def _curie(written: str) -> str:
    """Give an id as the graph writes it.

    Raises:
        OboSyntaxError: where it is no CURIE.
    """
    found = normalise(written)
    if not is_curie(found):
        raise syntax.OboSyntaxError(f"{written[:40]!r} is no id such as HP:0001945")
    return found


class _Reader:
    """Turns stanzas into records; knows the header."""

    def __init__(self, source: str, prefixes: frozenset[str], category: Category | None) -> None:
        self.source, self.prefixes, self.category = source, prefixes, category
        self.version = ""
        self.kinds: dict[str, str] = {}
        self.terms = 0
        self._handlers: dict[str, Callable[[_Term, str], None]] = {
            "name": self._name,
            "def": self._definition,
            "is_obsolete": self._obsolete,
            "replaced_by": self._replaced_by,
            "alt_id": self._alt_id,
            "consider": self._consider,
            "xref": self._xref,
            "xref_analog": self._xref,
            "is_a": self._is_a,
            "relationship": self._relationship,
            "property_value": self._property,
            "synonym": self._synonym,
        }

    def header(self, stanza: syntax.Stanza) -> Header:
        """Read version, licence and the names of synonym types."""
        version = date = licence = ""
        for clause in stanza.clauses:
            if clause.tag == "data-version":
                version = clause.value.rpartition("releases/")[2].partition("/")[0]
            elif clause.tag == "date":
                date = clause.value
            elif clause.tag == "synonymtypedef":
                name, _, rest = clause.value.partition(" ")
                # A type may be a CURIE (HP:0034334 "allelic_requirement"): then its description says what it is.
                self.kinds[name] = rest.strip().split('"')[1] if ":" in name and rest.count('"') > 1 else name
            elif clause.tag == "property_value" and clause.value.partition(" ")[0].endswith(("license", "licence")):
                licence = clause.value.partition(" ")[2].split(" xsd:")[0].strip(' "')
        self.version = version or date
        return Header(self.version, licence)

    def term(self, stanza: syntax.Stanza) -> Iterator[Record]:
        """Yield a term's records; its bad lines as rejects."""
        term = _Term()
        rejects = list(stanza.rejects())
        self._identify(term, stanza, rejects)
        if not term.id:
            yield from rejects
            yield Reject(f"line {stanza.line}", "term without an id")
            return
        if self.prefixes and term.id.partition(":")[0] not in self.prefixes:
            return
        for clause in stanza.clauses:
            handler = self._handlers.get(clause.tag)
            try:
                if handler is not None:
                    handler(term, clause.value)
                elif clause.tag in _OLD_SYNONYMS:
                    text, rest = syntax.quoted(clause.value)
                    self._synonym(term, f'"{syntax.escape(text)}" {_OLD_SYNONYMS[clause.tag]} {rest}')
            except syntax.OboSyntaxError as error:
                rejects.append(Reject(f"line {clause.line}", f"{clause.tag} of {term.id[:40]}: {error}"))
        self.terms += 1
        yield from rejects
        yield from self._records(term)

    def _identify(self, term: _Term, stanza: syntax.Stanza, rejects: list[Reject]) -> None:
        for clause in stanza.clauses:
            if clause.tag != "id":
                continue
            try:
                written = syntax.identifier(clause.value)
                identifier = _curie(written)
            except syntax.OboSyntaxError as error:
                rejects.append(Reject(f"line {clause.line}", f"id: {error}"))
                continue
            if term.id:
                rejects.append(Reject(f"line {clause.line}", "second id in one term"))
                continue
            term.written, term.id = written, identifier

    def _records(self, term: _Term) -> Iterator[Record]:
        yield Concept(
            id=term.id,
            category=self.category or category_of(term.id),
            name=term.name,
            source=self.source,
            synonyms=tuple(term.synonyms),
            definition=term.definition,
            xrefs=tuple(dict.fromkeys(term.xrefs)),
            deprecated=term.obsolete,
            replaced_by=term.replaced_by,
        )
        yield from term.mappings
        for predicate, target, note in term.relations:
            statement = Statement(term.id, predicate, normalise(target))
            yield Fact(
                statement,
                Evidence(
                    statement=statement.id,
                    source=self.source,
                    version=self.version,
                    subject_as_written=term.written,
                    object_as_written=target,
                    note=note,
                ),
            )

    def _name(self, term: _Term, value: str) -> None:
        term.name = term.name or syntax.free_text(value)

    def _definition(self, term: _Term, value: str) -> None:
        term.definition = syntax.quoted(value)[0]

    def _obsolete(self, term: _Term, value: str) -> None:
        term.obsolete = value.split()[:1] == ["true"]

    def _replaced_by(self, term: _Term, value: str) -> None:
        target = _curie(syntax.identifier(value))
        term.replaced_by = term.replaced_by or target
        term.mappings.append(Mapping(term.id, REPLACED_BY, target))

    def _alt_id(self, term: _Term, value: str) -> None:
        term.mappings.append(Mapping(_curie(syntax.identifier(value)), REPLACED_BY, term.id))

    def _consider(self, term: _Term, value: str) -> None:
        term.mappings.append(Mapping(term.id, "oboInOwl:consider", _curie(syntax.identifier(value))))

    def _xref(self, term: _Term, value: str) -> None:
        target = normalise(syntax.identifier(value))
        term.xrefs.append(target)
        if is_curie(target) and not is_citation(target):
            term.mappings.append(Mapping(term.id, XREF, target))

    def _is_a(self, term: _Term, value: str) -> None:
        self._relate(term, Predicate.SUBCLASS_OF, syntax.identifier(value), "")

    def _relate(self, term: _Term, predicate: Predicate, target: str, note: str) -> None:
        _curie(target)
        term.relations.append((predicate, target, note))

    def _relationship(self, term: _Term, value: str) -> None:
        relation = syntax.identifier(value)
        target = syntax.identifier(value[len(value.split(None, 1)[0]) :].strip())
        predicate = RELATIONS.get(relation, Predicate.RELATED_TO)
        self._relate(term, predicate, target, relation if predicate is Predicate.RELATED_TO else "")

    def _property(self, term: _Term, value: str) -> None:
        name, _, rest = value.partition(" ")
        if name.startswith("skos:") and name.endswith("Match"):
            term.mappings.append(Mapping(term.id, name, normalise(syntax.identifier(rest.strip().strip('"')))))

    def _synonym(self, term: _Term, value: str) -> None:
        text, rest = syntax.quoted(value)
        words = rest.split("[", 1)[0].split()
        scope, kind = "related", ""  # the specification's default where no scope is written
        if words and words[0] in _SCOPES:
            scope = words.pop(0).lower()
        if words:
            kind = self.kinds.get(words[0], words[0])
        if text.strip():
            term.synonyms.append(Synonym(" ".join(text.split()), scope, kind))


def read_obo(
    path: Path, source: str, *, prefixes: frozenset[str] = frozenset(), category: Category | None = None
) -> Records:
    """Read an OBO file, plain or gzipped.

    Args:
        path: the file.
        source: name of the source in concepts and evidence.
        prefixes: where given, only terms with these prefixes become concepts (an ontology's own, not its imports).
        category: category of all terms; by default told by each term's prefix.

    Raises:
        InputError: where the file cannot be read or holds no term at all.
    """
    reader = _Reader(source, prefixes, category)
    seen_header = False
    for stanza in syntax.read_stanzas(read_lines(path)):
        if not seen_header:
            seen_header = True
            yield reader.header(stanza)
        if stanza.kind == "Term":
            yield from reader.term(stanza)
        else:
            yield from stanza.rejects()
    if not reader.terms:
        which = f" with prefix {', '.join(sorted(prefixes))}" if prefixes else ""
        raise InputError(f"no [Term]{which} in it", where=path, remedy="is this an OBO file?")


FORMAT = Format(
    name="obo",
    read=lambda source, _: read_obo(source.path, source.name, prefixes=source.prefixes, category=source.category),
    title="ontology in OBO 1.2 or 1.4",
    specification="OBO Flat File Format 1.4, https://owlcollab.github.io/oboformat/doc/obo-syntax.html",
    example="obo:doid.obo?prefix=DOID&category=Disease",
    met="DOID 2016-09-01, SYMP 2026-07-30, HPO 2025-01-16",
)

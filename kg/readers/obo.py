"""OBO 1.2 and 1.4 ontologies (HPO, DOID, SYMP, Mondo …), read tolerantly: a bad line becomes a reject, the term stays.

Read: names, definitions, synonyms of every scope and type, cross-references (with Mondo's mark of equivalence),
mappings, former ids, obsolescence, ``is_a``, ``relationship`` and logical definitions. Of a logical definition
(``intersection_of``) each part with a named term follows by itself: the genus is a parent, a differentia a relation;
what the term also asserts is not said twice. ``union_of`` and ``disjoint_from`` state nothing that the graph holds.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ehr.errors import InputError
from kg.readers import obo_syntax as syntax
from kg.readers.curies import is_curie, normalise
from kg.readers.lines import read_lines
from kg.readers.records import EXACT_MATCH, Header, Record, Records, Reject
from kg.readers.relations import is_match, mapping_predicate
from kg.readers.source import Format
from kg.readers.terms import EQUIVALENT, Term, TermWriter, release
from kg.vocabulary import Category

_SCOPES = ("EXACT", "NARROW", "BROAD", "RELATED")
_OLD_SYNONYMS = {f"{scope.lower()}_synonym": scope for scope in _SCOPES}  # tags of OBO 1.0
_HEADER = ("data-version", "date", "synonymtypedef")


class _Reader:
    """Turns stanzas into records; knows the header."""

    def __init__(self, writer: TermWriter) -> None:
        self.writer = writer
        self.kinds: dict[str, str] = {}
        self._scopes: dict[str, tuple[str, str]] = {}
        self.terms = 0
        self._handlers: dict[str, Callable[[Term, str], None]] = {
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
            "intersection_of": self._intersection,
            "equivalent_to": self._equivalent,
            "property_value": self._property,
            "synonym": self._synonym,
        }
        for tag, scope in _OLD_SYNONYMS.items():
            self._handlers[tag] = self._old_synonym(scope)
        self.tags = frozenset((*self._handlers, *_HEADER))

    def header(self, stanza: syntax.Stanza) -> Header:
        """Read version, licence and the names of synonym types."""
        version = date = info = licence = ""
        for _, tag, value in stanza.clauses:
            if tag == "data-version":
                version = release(value)
            elif tag == "date":
                date = value
            elif tag == "synonymtypedef":
                name, _, rest = value.partition(" ")
                # A type may be a CURIE (HP:0034334 "allelic_requirement"): then its description says what it is.
                self.kinds[name] = rest.strip().split('"')[1] if ":" in name and rest.count('"') > 1 else name
            elif tag == "property_value":
                name, _, rest = value.partition(" ")
                text = rest.split(" xsd:")[0].strip(' "')
                if name.endswith(("license", "licence")):
                    licence = text
                elif name == "owl:versionInfo":
                    info = release(text)
        self.writer.version = version or info or date
        return Header(self.writer.version, licence)

    def term(self, stanza: syntax.Stanza) -> list[Record]:
        """Give a term's records, its bad lines first as rejects."""
        records = stanza.rejects()
        term = self._identify(stanza, records)
        if not term.id:
            records.append(Reject(f"line {stanza.line}", "term without an id"))
            return records
        if not self.writer.wants(term.id):
            return []
        handlers = self._handlers
        for line, tag, value in stanza.clauses:
            if tag in handlers:
                try:
                    handlers[tag](term, value)
                except syntax.OboSyntaxError as error:
                    records.append(Reject(f"line {line}", f"{tag} of {term.id[:40]}: {error}"))
        self.terms += 1
        return records + self.writer.records(term) if records else self.writer.records(term)

    def _identify(self, stanza: syntax.Stanza, rejects: list[Record]) -> Term:
        term = Term()
        for line, value in stanza.ids:
            try:
                written = syntax.identifier(value)
                identifier = _curie(written)
            except syntax.OboSyntaxError as error:
                rejects.append(Reject(f"line {line}", f"id: {error}"))
                continue
            if term.id:
                rejects.append(Reject(f"line {line}", "second id in one term"))
                continue
            term.written, term.id = written, identifier
        return term

    def _name(self, term: Term, value: str) -> None:
        term.add_name(syntax.free_text(value) if "}" in value or "\\" in value else value)

    def _definition(self, term: Term, value: str) -> None:
        term.add_definition(syntax.quoted(value)[0])

    def _obsolete(self, term: Term, value: str) -> None:
        term.obsolete = value.split()[:1] == ["true"]

    def _replaced_by(self, term: Term, value: str) -> None:
        term.add_successor(_curie(syntax.identifier(value)))

    def _alt_id(self, term: Term, value: str) -> None:
        term.add_former(_curie(syntax.identifier(value)))

    def _consider(self, term: Term, value: str) -> None:
        term.add_consider(_curie(syntax.identifier(value)))

    def _xref(self, term: Term, value: str) -> None:
        if " " not in value and "\\" not in value and len(value) > 1 and value.isprintable():  # nothing but the id
            term.add_xref(value)
            return
        exact = "{" in value and any(one == EQUIVALENT for _, one in syntax.modifiers(value))
        term.add_xref(syntax.identifier(value), exact)

    def _is_a(self, term: Term, value: str) -> None:
        written = syntax.identifier(value)
        term.add_parent(written, _curie(written))

    def _relationship(self, term: Term, value: str) -> None:
        written = syntax.identifier(_second(value))
        term.add_relation(syntax.identifier(value), written, _curie(written))

    def _intersection(self, term: Term, value: str) -> None:
        first, rest = syntax.identifier(value), _second(value)
        if not rest or rest.startswith(("!", "{")):
            term.add_parent(first, _curie(first), logical=True)
        else:
            written = syntax.identifier(rest)
            term.add_relation(first, written, _curie(written), logical=True)

    def _equivalent(self, term: Term, value: str) -> None:
        term.add_match(EXACT_MATCH, syntax.identifier(value))

    def _property(self, term: Term, value: str) -> None:
        predicate = mapping_predicate(value.partition(" ")[0])
        if is_match(predicate):
            rest = _second(value)
            term.add_match(predicate, syntax.quoted(rest)[0] if rest.startswith('"') else syntax.identifier(rest))

    def _synonym(self, term: Term, value: str) -> None:
        text, rest = syntax.quoted(value)
        head = rest.partition("[")[0]
        found = self._scopes.get(head)
        if found is None:
            found = self._scopes[head] = self._scope(head)
        term.add_synonym(text, *found)

    def _scope(self, head: str) -> tuple[str, str]:
        """Read scope and type of a synonym, which stand before its citations."""
        words = head.split()
        scope, kind = "related", ""  # the specification's default where no scope is written
        if words and words[0] in _SCOPES:
            scope = words.pop(0).lower()
        if words and not words[0].startswith("{"):
            kind = self.kinds.get(words[0], words[0])
        if len(self._scopes) > 1000:
            self._scopes.clear()
        return scope, kind

    def _old_synonym(self, scope: str) -> Callable[[Term, str], None]:
        def take(term: Term, value: str) -> None:
            text, rest = syntax.quoted(value)
            self._synonym(term, f'"{syntax.escape(text)}" {scope} {rest}')

        return take


def _curie(written: str) -> str:
    """Give an id as the graph writes it.

    Raises:
        OboSyntaxError: where it is no CURIE.
    """
    found = normalise(written)
    if not is_curie(found):
        raise syntax.OboSyntaxError(f"{written[:40]!r} is no id such as HP:0001945")
    return found


def _second(value: str) -> str:
    """Give what follows the first word."""
    return "".join(value.split(None, 1)[1:])


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
    reader = _Reader(TermWriter(source, prefixes, category))
    seen_header = False
    for stanza in syntax.read_stanzas(read_lines(path), reader.tags):
        if not seen_header:
            seen_header = True
            yield reader.header(stanza)
        if stanza.kind == "Term":
            yield from reader.term(stanza)
        else:
            yield from stanza.rejects()
    if not reader.terms:
        raise InputError(f"no [Term]{reader.writer.which} in it", where=path, remedy="is this an OBO file?")


FORMAT = Format(
    name="obo",
    read=lambda source, _: read_obo(source.path, source.name, prefixes=source.prefixes, category=source.category),
    title="ontology in OBO 1.2 or 1.4",
    specification="OBO Flat File Format 1.4, https://owlcollab.github.io/oboformat/doc/obo-syntax.html",
    example="obo:doid.obo?prefix=DOID&category=Disease",
    met="DOID 2016-09-01 and 2026-07-31 (rebuilt), SYMP 2026-07-30, HPO 2025-01-16",
)

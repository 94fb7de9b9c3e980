"""A term of an ontology, whatever syntax it was written in, and the records that it becomes."""

from __future__ import annotations

import re

from kg.readers.curies import category_of, cross_reference, is_curie, normalise
from kg.readers.quick import quick
from kg.readers.records import EXACT_MATCH, REPLACED_BY, XREF, Fact, Mapping, Record
from kg.readers.relations import relation
from kg.types import Concept, Evidence, Statement, Synonym
from kg.vocabulary import Category, Predicate

EQUIVALENT = "MONDO:equivalentTo"
"""What Mondo writes as the source of a cross-reference that means the very same thing."""

LOGICAL = "logical definition"
"""Note of a statement that follows from a logical definition (genus and differentia) and is not asserted beside it."""

_concept, _statement, _evidence, _fact = quick(Concept), quick(Statement), quick(Evidence), quick(Fact)
_synonym, _mapping = quick(Synonym), quick(Mapping)

_DATE = re.compile(r"\d{4}-\d\d-\d\d")


class Term:
    """What the clauses, triples or members of one term add up to.

    Attributes:
        id, written: normalised, and as the file has it.
        relations: by predicate, object and name of the relation: the object as written, and whether it only follows
            from the logical definition.
    """

    __slots__ = (
        "definition",
        "id",
        "mappings",
        "name",
        "obsolete",
        "relations",
        "replaced_by",
        "synonyms",
        "written",
        "xrefs",
    )

    def __init__(self, id: str = "", written: str = "") -> None:
        self.id, self.written = id, written
        self.name = self.definition = ""
        self.obsolete = False
        self.replaced_by: str | None = None
        self.synonyms: list[Synonym] = []
        self.xrefs: list[str] = []
        self.mappings: list[Mapping] = []
        self.relations: dict[tuple[Predicate, str, str], tuple[str, bool]] = {}

    @property
    def bare(self) -> bool:
        """Say whether nothing makes this a concept: it is only declared, as imported terms are.

        Or it is a former id that the OWL of OBO ontologies keeps as a class, where OBO has an ``alt_id`` of its
        successor; then all that it says are its mappings.
        """
        return not (self.name or self.definition or self.synonyms or self.relations)

    def add_name(self, text: str) -> None:
        """Take the term's name; the first one stays."""
        self.name = self.name or " ".join(text.split())

    def add_definition(self, text: str) -> None:
        """Take the definition; the first one stays."""
        self.definition = self.definition or text.strip()

    def add_synonym(self, text: str, scope: str, kind: str = "") -> None:
        """Take another name; one without any letter is none."""
        text = " ".join(text.split())
        if text:
            self.synonyms.append(_synonym(text, scope, kind))

    def add_xref(self, written: str, exact: bool = False) -> None:
        """Take a cross-reference; an exact match where the file says that both mean the same."""
        target, names_concept = cross_reference(written)
        self.xrefs.append(target)
        if names_concept:
            self.mappings.append(_mapping(self.id, EXACT_MATCH if exact else XREF, target))

    def add_match(self, predicate: str, written: str) -> None:
        """Take a mapping of a given predicate; what is no id maps to nothing."""
        target = normalise(written)
        if is_curie(target) and target != self.id:
            self.mappings.append(_mapping(self.id, predicate, target))

    def add_successor(self, written: str) -> None:
        """Take the id that replaced this term's; the first one counts as the successor."""
        target = normalise(written)
        self.replaced_by = self.replaced_by or target
        self.mappings.append(_mapping(self.id, REPLACED_BY, target))

    def add_consider(self, written: str) -> None:
        """Take an id that may be used in place of this obsolete term's."""
        self.mappings.append(_mapping(self.id, "oboInOwl:consider", normalise(written)))

    def add_former(self, written: str) -> None:
        """Take a former id of this term."""
        self.mappings.append(_mapping(normalise(written), REPLACED_BY, self.id))

    def add_parent(self, written: str, target: str = "", *, logical: bool = False) -> None:
        """Take a parent: as written, and its id where that is known."""
        key = (Predicate.SUBCLASS_OF, target or normalise(written), "")
        if not logical or key not in self.relations:
            self.relations[key] = (written, logical)

    def add_relation(self, name: str, written: str, target: str = "", *, logical: bool = False) -> None:
        """Take a relation to another term."""
        predicate, note = relation(name)
        key = (predicate, target or normalise(written), note)
        if not logical or key not in self.relations:
            self.relations[key] = (written, logical)


class TermWriter:
    """Turns terms into records of one source."""

    def __init__(self, source: str, prefixes: frozenset[str], category: Category | None) -> None:
        self.source, self.prefixes, self.category = source, prefixes, category
        self.version = ""

    def wants(self, identifier: str) -> bool:
        """Say whether terms of this prefix are asked for."""
        return not self.prefixes or identifier.partition(":")[0] in self.prefixes

    @property
    def which(self) -> str:
        """Which terms are asked for, to follow their name in a message; empty for all."""
        return f" with prefix {', '.join(sorted(self.prefixes))}" if self.prefixes else ""

    def records(self, term: Term) -> list[Record]:
        """Give the concept, its mappings and what it states."""
        identifier, xrefs = term.id, term.xrefs
        concept = _concept(
            identifier,
            self.category or category_of(identifier),
            term.name,
            self.source,
            tuple(term.synonyms),
            term.definition,
            tuple(dict.fromkeys(xrefs)) if len(xrefs) > 1 else tuple(xrefs),
            term.obsolete,
            term.replaced_by,
        )
        records: list[Record] = [concept, *term.mappings]
        for (predicate, target, name), (written, logical) in term.relations.items():
            note = name if not logical else f"{name}; {LOGICAL}" if name else LOGICAL
            records.append(self.fact(_statement(identifier, predicate, target), term.written, written, note))
        return records

    def fact(self, statement: Statement, subject: str, object_: str, note: str) -> Fact:
        """Give one statement with its evidence: the ends as written, the relation's name where it needs one."""
        evidence = _evidence(statement.id, self.source, self.version, (), 1.0, subject, object_, "", None, note)
        return _fact(statement, evidence)


def release(version: str) -> str:
    """Give the release out of a version, a path or a version IRI.

    >>> release("hp/releases/2025-01-16"), release("http://purl.obolibrary.org/obo/symp/releases/2026-07-30/symp.owl")
    ('2025-01-16', '2026-07-30')
    """
    text = version.strip()
    if "releases/" in text:
        return text.rpartition("releases/")[2].partition("/")[0]
    if "/" in text and (dated := _DATE.search(text)):
        return dated[0]
    return text

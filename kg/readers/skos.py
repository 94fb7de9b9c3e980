"""SKOS thesauri and classifications in any syntax of RDF.

A ``skos:Concept`` becomes a concept: prefLabel in the language asked for, altLabel (exact) and hiddenLabel (related,
kind ``hidden``) as synonyms, SKOS-XL labels too; definition, else scope note. ``broader`` and ``narrower`` are
``subclass_of`` (of ISO 25964's refinements ``broaderPartitive`` is ``part_of``), ``related`` is ``related_to``;
transitive closures are left out. Mapping properties are mappings. A notation stands among the cross-references, or is
the id itself where ``id=notation`` asks for that.

Source: SKOS Reference, https://www.w3.org/TR/skos-reference/, with its appendix B on labels (SKOS-XL).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ehr.errors import InputError
from kg.readers.curies import is_curie, normalise
from kg.readers.held import RDF_OPTIONS, Held, Languages, Said, gather, names
from kg.readers.rdf import DCTERMS, LICENCES, OWL, RDF, RDFS, SKOS, TYPE, Names, Text
from kg.readers.records import Fact, Header, Record, Records, Reject
from kg.readers.relations import mapping_predicate
from kg.readers.source import Format, Source
from kg.readers.terms import Term, TermWriter, release
from kg.types import Statement
from kg.vocabulary import Category, Predicate

_XL, _ISO = "http://www.w3.org/2008/05/skos-xl#", "http://purl.org/iso25964/skos-thes#"
_PREF, _ALT, _HIDDEN = SKOS + "prefLabel", SKOS + "altLabel", SKOS + "hiddenLabel"
_FORM, _LABEL, _VALUE = _XL + "literalForm", RDFS + "label", RDF + "value"
_DEFINITIONS = (SKOS + "definition", SKOS + "scopeNote")
_NOTATION, _DEPRECATED, _SUCCESSOR = SKOS + "notation", OWL + "deprecated", DCTERMS + "isReplacedBy"
_MATCHES = tuple(f"{SKOS}{name}Match" for name in ("exact", "close", "broad", "narrow", "related"))
_UP = {
    SKOS + "broader": Predicate.SUBCLASS_OF,
    _ISO + "broaderGeneric": Predicate.SUBCLASS_OF,
    _ISO + "broaderInstantial": Predicate.SUBCLASS_OF,
    _ISO + "broaderPartitive": Predicate.PART_OF,
}
_DOWN = {name.replace("broader", "narrower"): predicate for name, predicate in _UP.items()}
_RELATED, _INFO, _MODIFIED = SKOS + "related", OWL + "versionInfo", DCTERMS + "modified"
_LABELS = (_PREF, _ALT, _HIDDEN, _XL + "prefLabel", _XL + "altLabel", _XL + "hiddenLabel", _FORM, _LABEL)
_RELATIONS = (*_UP, *_DOWN, _RELATED, *_MATCHES, _SUCCESSOR)
_OTHERS = (TYPE, _VALUE, *_DEFINITIONS, _NOTATION, _DEPRECATED, _INFO, _MODIFIED, *LICENCES)
_WANTED = frozenset((*_LABELS, *_RELATIONS, *_OTHERS))


class _Reader:
    def __init__(self, held: Held, writer: TermWriter, names: Names, languages: Languages, by_notation: str) -> None:
        self.held, self.writer, self.names, self.languages = held, writer, names, languages
        self.by_notation = by_notation
        self.terms = 0

    def header(self) -> Header:
        """Read version and licence of the scheme."""
        for kind in (SKOS + "ConceptScheme", OWL + "Ontology"):
            for _, said in self.held.typed(kind):
                self.writer.version = release(said.first(_INFO) or said.first(_MODIFIED))
                return Header(self.writer.version, said.first(*LICENCES))
        return Header()

    def records(self) -> Iterator[Record]:
        """Yield the records of every concept, in the order of the file."""
        for iri, said in self.held.typed(SKOS + "Concept"):
            if iri.startswith("_:"):
                continue
            curie = self._id(iri, said)
            if not curie:
                without = "has no notation" if self.by_notation else "its IRI gives no CURIE"
                yield Reject(iri[:120], without)
            elif self.writer.wants(curie):
                yield from self._term(iri, curie, said)

    def _id(self, iri: str, said: Said | None = None) -> str:
        """Give the id of a concept: by its notation where that is asked for, else by its IRI."""
        if not self.by_notation:
            return self.names.curie(iri)
        notation = (said or self.held.of(iri)).first(_NOTATION)
        found = normalise(f"{self.by_notation}:{notation}") if notation else ""
        return found if is_curie(found) else ""

    def _labels(self, said: Said, name: str) -> list[Text]:
        """Give the labels of a kind, those written as resources of SKOS-XL too."""
        found = said.texts(SKOS + name)
        for label in said.iris(_XL + name):
            found += self.held.of(label).texts(_FORM)
        return list(dict.fromkeys(found))

    def _term(self, iri: str, curie: str, said: Said) -> Iterator[Record]:
        term = Term(id=curie, written=iri)
        term.obsolete = said.first(_DEPRECATED).lower() in ("true", "1")
        labels = self._labels(said, "prefLabel") or said.texts(_LABEL)
        name = self.languages.best(labels)
        if name is not None:
            term.add_name(name.text)
        for kind, scope in (("prefLabel", "exact"), ("altLabel", "exact"), ("hiddenLabel", "related")):
            texts = labels if kind == "prefLabel" else self._labels(said, kind)
            for text in self.languages.accepted((one for one in texts if one != name), name):
                if " ".join(text.split()) != term.name:
                    term.add_synonym(text, scope, "hidden" if kind == "hiddenLabel" else "")
        for predicate in _DEFINITIONS:
            notes = [one for node in said.iris(predicate) for one in self.held.of(node).texts(_VALUE)]
            if best := self.languages.best([*said.texts(predicate), *notes]):
                term.add_definition(best.text)
        term.xrefs += [text.text for text in said.texts(_NOTATION)] if not self.by_notation else []
        for predicate in _MATCHES:
            for target in said.iris(predicate):
                term.add_match(mapping_predicate(predicate), self.names.curie(target) or target)
        for target in said.iris(_SUCCESSOR):
            if successor := self._id(target):
                term.add_successor(successor)
        self.terms += 1
        yield from self.writer.records(term)
        yield from self._facts(iri, curie, said)

    def _facts(self, iri: str, curie: str, said: Said) -> Iterator[Fact | Reject]:
        seen = set[Statement]()
        for predicates, upwards in ((_UP, True), (_DOWN, False)):
            for name, predicate in predicates.items():
                for target in said.iris(name):
                    yield from self._fact(iri, curie, predicate, target, "", upwards, seen)
        for target in said.iris(_RELATED):
            yield from self._fact(iri, curie, Predicate.RELATED_TO, target, "related", True, seen)

    def _fact(
        self, iri: str, curie: str, predicate: Predicate, target: str, note: str, upwards: bool, seen: set[Statement]
    ) -> Iterator[Fact | Reject]:
        other = self._id(target)
        if not other:
            yield Reject(curie, f"object {target[:80]!r} gives no id")
            return
        statement = Statement(curie, predicate, other) if upwards else Statement(other, predicate, curie)
        if statement not in seen:
            seen.add(statement)
            yield self.writer.fact(statement, *((iri, target) if upwards else (target, iri)), note)


def read_skos(
    path: Path,
    source: str,
    *,
    prefixes: frozenset[str] = frozenset(),
    category: Category | None = None,
    languages: Sequence[str] = ("en",),
    namespace: str = "",
    by_notation: bool = False,
) -> Records:
    """Read a SKOS thesaurus, plain or packed.

    Args:
        path: the file; its suffix and its first bytes tell the syntax.
        source: name of the source in concepts and evidence.
        prefixes: where given, only ids with these prefixes become concepts.
        category: category of all concepts; by default told by each id's prefix.
        languages: of names, the first ones preferred.
        namespace: what the IRIs of its own concepts begin with; the one prefix of ``prefixes`` stands for it.
        by_notation: ids are that prefix and the notation.

    Raises:
        InputError: where the file cannot be read, is not well formed or holds no concept at all.
    """
    if by_notation and len(prefixes) != 1:
        raise InputError("option id=notation needs exactly one prefix", where=path, remedy="add ?prefix=NAME")
    held, rejects = gather(path, _WANTED)
    writer = TermWriter(source, prefixes, category)
    by = next(iter(prefixes)) if by_notation else ""
    reader = _Reader(held, writer, names(path, namespace, prefixes), Languages(languages), by)
    yield reader.header()
    yield from rejects
    yield from reader.records()
    if not reader.terms:
        raise InputError(f"no skos:Concept{writer.which} in it", where=path, remedy="is this a SKOS thesaurus?")


def _read(source: Source) -> Records:
    how = source.options.get("id", "iri")
    if how not in ("iri", "notation"):
        raise InputError(f"option id is {how[:20]!r}, expected iri or notation", where=f"source {source.name}")
    return read_skos(
        source.path,
        source.name,
        prefixes=source.prefixes,
        category=source.category,
        languages=source.options.get("lang", "en").split(","),
        namespace=source.options.get("namespace", ""),
        by_notation=how == "notation",
    )


FORMAT = Format(
    name="skos",
    read=lambda source, _: _read(source),
    title="SKOS thesaurus or classification in any syntax of RDF",
    specification="SKOS Reference, https://www.w3.org/TR/skos-reference/",
    example="skos:thesaurus.ttl?prefix=EX&lang=fr,en",
    met="only samples made after the specification",
    options={**RDF_OPTIONS, "id": "`iri` (the default) or `notation`: ids are the one prefix and the notation"},
)

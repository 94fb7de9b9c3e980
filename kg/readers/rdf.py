"""RDF in every syntax as a stream of triples: RDF/XML, Turtle, TriG, N-Triples, N-Quads and JSON-LD; never held whole.

pyoxigraph parses. In N-Triples and N-Quads every line stands for itself, and a bad one costs only itself; the other
syntaxes are well formed as a whole or not at all. IRIs are taken as they are: an invalid one (a blank in it) is no
reason to lose an ontology. Nothing outside of the file is ever opened (entities, JSON-LD contexts, imports).

Source: RDF 1.1, https://www.w3.org/TR/rdf11-concepts/, and its syntaxes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pyoxigraph as ox

from ehr.errors import InputError
from kg.readers.curies import is_curie, normalise
from kg.readers.lines import Damaged, Entry, open_binary, read_lines, single
from kg.readers.records import Reject
from kg.readers.xml_guard import GuardedXml

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
OWL = "http://www.w3.org/2002/07/owl#"
SKOS = "http://www.w3.org/2004/02/skos/core#"
DCTERMS = "http://purl.org/dc/terms/"
DC = "http://purl.org/dc/elements/1.1/"
OIO = "http://www.geneontology.org/formats/oboInOwl#"
OBO = "http://purl.obolibrary.org/obo/"

TYPE = RDF + "type"
VOCABULARIES = (RDF, RDFS, OWL, SKOS, OIO)
"""Namespaces whose names say how something is modelled and are no concepts themselves."""

LICENCES = tuple(
    dict.fromkeys(f"{head}{name}" for head in (DCTERMS, DC) for name in ("license", "rights"))
    | {"http://creativecommons.org/ns#license": None, "https://schema.org/license": None}
)

_FORMATS = {
    ".owl": ox.RdfFormat.RDF_XML,
    ".rdf": ox.RdfFormat.RDF_XML,
    ".xml": ox.RdfFormat.RDF_XML,
    ".ttl": ox.RdfFormat.TURTLE,
    ".n3": ox.RdfFormat.N3,
    ".trig": ox.RdfFormat.TRIG,
    ".nt": ox.RdfFormat.N_TRIPLES,
    ".nq": ox.RdfFormat.N_QUADS,
    ".jsonld": ox.RdfFormat.JSON_LD,
    ".json": ox.RdfFormat.JSON_LD,
}
_LINES = (ox.RdfFormat.N_TRIPLES, ox.RdfFormat.N_QUADS)
_BATCH = 2000
_NUMBERED = re.compile(r"([A-Za-z][A-Za-z.]*)_([A-Za-z]?\d[\w.-]*)")
_FOREIGN = (
    (re.compile(rb"\s*(Prefix\s*\(|Ontology\s*\()"), "OWL in functional syntax"),
    (re.compile(rb"\s*(Prefix:|Ontology:)"), "OWL in Manchester syntax"),
    (re.compile(rb"\s*(format-version:|\[Term\])"), "OBO (use the format obo)"),
    (re.compile(rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(\w+:)?Ontology[\s>]", re.DOTALL), "OWL/XML"),
)


class Text(NamedTuple):
    """A literal: its text, and its language in small letters, empty where it has none."""

    text: str
    language: str


Node = str | Text
"""An IRI, a blank node (``_:…``) or a literal."""

Triple = tuple[str, str, Node]


@dataclass(slots=True)
class Names:
    """How IRIs become the ids of concepts.

    Attributes:
        namespace: where given, what the IRIs of the source's own concepts begin with, and
        prefix: the prefix that stands for it.
    """

    namespace: str = ""
    prefix: str = ""

    def curie(self, iri: str) -> str:
        """Give the id of an IRI: as `normalise` knows it, else by its form; empty where it gives none.

        ``…/EFO_0000270`` is ``EFO:0000270``; any other takes the last part of its namespace for a prefix:
        ``http://example.org/onto#Fever`` is ``ONTO:Fever``. It is so in every syntax, whatever a file declares.
        """
        if self.namespace and iri.startswith(self.namespace) and len(iri) > len(self.namespace):
            found = f"{self.prefix}:{iri.removeprefix(self.namespace)}"
            return found if is_curie(found) else ""
        found = normalise(iri)
        if is_curie(found) and not found.startswith("urn:"):
            return found
        if "://" not in iri and not iri.startswith("urn:"):
            return ""
        cut = max(iri.rfind("#"), iri.rfind("/"), iri.rfind(":"))
        local, space = iri[cut + 1 :], iri[:cut].rstrip("#/")
        if numbered := _NUMBERED.fullmatch(local):
            found = normalise(f"{numbered[1]}:{numbered[2]}")
        else:
            last = space[max(space.rfind("/"), space.rfind("#"), space.rfind(":")) + 1 :]
            stem = re.sub(r"\.(owl|rdf|ttl|xml|obo)$", "", last)
            found = normalise(f"{re.sub(r'[^A-Za-z0-9.-]+', '_', stem)}:{local}")
        return found if is_curie(found) else ""


def read_triples(source: Path | Entry, wanted: Container[str]) -> Iterator[Triple | Reject]:
    """Yield the triples whose predicate is wanted, in the order of the file; bad lines of N-Triples as rejects.

    Args:
        source: the file; its suffix (before ``.gz``) and its first bytes tell the syntax.
        wanted: IRIs of predicates.

    Raises:
        InputError: where the file cannot be read, is in a syntax that is no RDF, or is not well formed (with the line).
    """
    entry = source if isinstance(source, Entry) else single(source)
    kind = _syntax(entry)
    if kind in _LINES:
        yield from _by_line(entry, kind, wanted)
        return
    with open_binary(entry) as raw:
        guard = GuardedXml(raw, str(entry)) if kind == ox.RdfFormat.RDF_XML else None
        stream = guard if guard is not None else raw
        near: Callable[[], str] = (lambda: f"before line {guard.line}: ") if guard is not None else (lambda: "")
        # A base of its own, for files that name their concepts by `#Fever` alone.
        base = f"file:///{re.sub(r'[^A-Za-z0-9.-]+', '_', entry.name)}"
        with _Mended(entry, kind, near):
            for quad in ox.parse(input=stream, format=kind, base_iri=base, lenient=True):  # type: ignore[arg-type]
                predicate = quad.predicate.value
                if predicate in wanted:
                    yield _name(quad.subject), predicate, _node(quad.object)


class _Mended:
    """Turns a parser's errors into one `InputError` with the line."""

    def __init__(self, entry: Entry, kind: ox.RdfFormat, near: Callable[[], str]) -> None:
        self._entry, self._kind, self._near = entry, kind, near

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, MemoryError):
            raise InputError(f"{self._near()}a text of more than 16 MiB", where=str(self._entry)) from error
        if error is not None and (
            isinstance(error, (SyntaxError, ValueError)) or type(error).__name__ == "PanicException"
        ):
            line = error.lineno if isinstance(error, SyntaxError) and error.lineno else 0
            place = f"line {line}: " if line else self._near()
            remedy = f"expected valid {self._kind.name}"
            raise InputError(f"{place}{_said(error)}", where=str(self._entry), remedy=remedy) from error


def _node(node: ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple) -> Node:
    if isinstance(node, ox.Literal):
        return Text(node.value, (node.language or "").lower())
    return _name(node)


def _name(node: ox.NamedNode | ox.BlankNode | ox.Triple) -> str:
    return node.value if isinstance(node, ox.NamedNode) else str(node)


def _said(error: BaseException) -> str:
    """Give the parser's words in one line, without the place."""
    text = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return re.sub(r"^Parser error (at|between) [^:]*: ", "", re.sub(r" \(line \d+\)$", "", text))[:160]


def _syntax(entry: Entry) -> ox.RdfFormat:
    """Tell the syntax by the file's first bytes, and by its suffix where these do not tell."""
    with open_binary(entry) as file:
        head = _head(file)
    for pattern, what in _FOREIGN:
        if pattern.match(head):
            remedy = "convert it to RDF/XML first, for example with `robot convert`"
            raise InputError(f"is {what}", where=str(entry), remedy=remedy if "OBO" not in what else None)
    suffix = Path(entry.name.lower()).suffix
    kind = _FORMATS.get(suffix)
    start = head.lstrip()
    if start.startswith((b"<?xml", b"<rdf:RDF", b"<!DOCTYPE", b"<!--")) or b"\0" in head[:4]:
        return ox.RdfFormat.RDF_XML
    if start.lower().startswith((b"@prefix", b"@base", b"prefix ", b"base ")):
        return kind if kind in (ox.RdfFormat.TRIG, ox.RdfFormat.N3) else ox.RdfFormat.TURTLE
    if kind is None:
        kind = ox.RdfFormat.JSON_LD if start[:1] in (b"{", b"[") else ox.RdfFormat.TURTLE
    return kind


def _head(file: BinaryIO) -> bytes:
    return file.read(4096).removeprefix(b"\xef\xbb\xbf")


def _by_line(entry: Entry, kind: ox.RdfFormat, wanted: Container[str]) -> Iterator[Triple | Reject]:
    """Read N-Triples in batches of lines, and one by one only where a line among them is not sound."""
    batch: list[tuple[int, str]] = []
    for number, text in read_lines(entry):
        if isinstance(text, Damaged):
            yield Reject(f"line {number}", text.reason)
        elif text:
            batch.append((number, text))
        if len(batch) >= _BATCH:
            yield from _batch(batch, kind, wanted)
            batch = []
    yield from _batch(batch, kind, wanted)


def _batch(batch: list[tuple[int, str]], kind: ox.RdfFormat, wanted: Container[str]) -> Iterator[Triple | Reject]:
    try:
        found = list(_parsed("\n".join(text for _, text in batch) + "\n", kind, wanted, lenient=False))
    except SyntaxError:
        for number, text in batch:
            try:
                yield from list(_parsed(text + "\n", kind, wanted, lenient=True))
            except SyntaxError as error:
                yield Reject(f"line {number}", f"no triple: {_said(error)}")
        return
    yield from found


def _parsed(text: str, kind: ox.RdfFormat, wanted: Container[str], *, lenient: bool) -> Iterator[Triple]:
    for quad in ox.parse(input=text, format=kind, lenient=lenient):
        predicate = quad.predicate.value
        if predicate in wanted:
            yield _name(quad.subject), predicate, _node(quad.object)

"""KGX: a graph by the Biolink model as two tables (TSV), two files of JSON Lines, or one JSON document.

Nodes and edges lie in one directory or archive, or beside each other. Categories and predicates that the graph lacks
become the nearest one that it has (``biolink.toml``), and the predicate's own name stands in the note; a predicate that
says something from the other end is turned round. ``same_as`` becomes exact mappings. Where an edge comes from
(``primary_knowledge_source``) and its qualifiers stand in the note.

Source: https://github.com/biolink/kgx, ``docs/kgx_format.md``
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from ehr.errors import InputError
from ehr.files import JsonValue
from kg.readers.biolink import Meaning, category_among, meaning_of
from kg.readers.columnar import Chunk, Layout, read_chunks
from kg.readers.curies import is_citation, is_curie, normalise
from kg.readers.graph_columns import Kind, Kinds, Nodes, Numbers, coded, distinct, facts, joined
from kg.readers.json_stream import read_items, weight, whole_characters
from kg.readers.kgx_evidence import FREQUENCIES, LEVELS, QUALIFIERS, SOURCES, flags, notes, text_of, weights
from kg.readers.lines import Damaged, Entry, entries, find, need, need_beside, read_lines
from kg.readers.records import EXACT_MATCH, XREF, Batch, Header, Record, Records, Reject
from kg.readers.source import Format
from kg.schema import CONCEPTS

_EDGES = Layout(
    needed=("subject", "predicate", "object"),
    optional=("negated", "publications", *QUALIFIERS, *SOURCES, *LEVELS, *FREQUENCIES),
    coded=("subject", "predicate", "object", "negated", *QUALIFIERS, *SOURCES, *LEVELS, *FREQUENCIES),
    delimiter="\t",
    quoted=False,
    what="KGX's table of edges",
)
_NODES = Layout(
    needed=("id",),
    optional=("category", "name", "description", "synonym", "xref", "same_as", "equivalent_identifiers", "deprecated"),
    coded=("category", "deprecated"),
    delimiter="\t",
    quoted=False,
    what="KGX's table of nodes",
)
_MANY = 50_000
_MUCH = 32 << 20
"""Bytes of objects that are held at once, as `weight` gives them."""

_TABLE_LIST, _JSON_LIST = "|", "\x1f"
"""What stands between the values of a list: in tables, and where JSON's lists are put into columns."""


@dataclass(slots=True)
class _Reader:
    separator: str
    nodes: Nodes = field(default_factory=Nodes)
    kinds: Kinds = field(default_factory=Kinds)
    rows: int = 0

    def node_chunk(self, chunk: Chunk, where: str) -> Iterator[Record]:
        """Yield the concepts of some nodes, their other names and what they are mapped to."""
        columns = {name: chunk.table[name].to_pylist() for name in chunk.table.column_names}
        nothing = [""] * len(chunk.lines)
        concepts, synonyms, mappings = [], [], []
        for row, written in enumerate(columns["id"]):
            id_ = normalise(written)
            if not is_curie(id_):
                yield Reject(f"{where} {chunk.lines[row]}", f"id {written[:40]!r} is no CURIE")
                continue
            name = " ".join(columns.get("name", nothing)[row].split())
            xrefs = [normalise(one) for one in self._list(columns.get("xref", nothing)[row])]
            category = category_among(self._list(columns.get("category", nothing)[row]), id_)
            gone = columns.get("deprecated", nothing)[row].strip().lower() in ("true", "1")
            definition = " ".join(columns.get("description", nothing)[row].split())
            concepts.append((id_, category.value, name, definition, gone, list(dict.fromkeys(xrefs))))
            synonyms += [(id_, text) for text in self._list(columns.get("synonym", nothing)[row]) if text != name]
            mappings += [(id_, XREF, one) for one in xrefs if is_curie(one) and not is_citation(one) and one != id_]
            for column in ("same_as", "equivalent_identifiers"):
                same = (normalise(one) for one in self._list(columns.get(column, nothing)[row]))
                mappings += [(id_, EXACT_MATCH, one) for one in same if is_curie(one) and one != id_]
        yield from _concepts(concepts)
        yield from _pairs("synonyms", [(i, t, "exact", "") for i, t in synonyms], ("concept", "text", "scope", "kind"))
        yield from _pairs("mappings", mappings, ("subject", "predicate", "object"))
        self.rows += len(concepts)

    def _list(self, text: str) -> list[str]:
        return [one.strip() for one in text.split(self.separator) if one.strip()] if text else []

    def edge_chunk(self, chunk: Chunk, where: str) -> Iterator[Record]:
        """Yield what some edges state."""
        table = chunk.table
        subject, object_ = self._ends(table, "subject"), self._ends(table, "object")
        codes, values = coded(table["predicate"])
        written = [value.strip() for value in values.to_pylist()]
        meanings = [meaning_of(value) for value in written]
        usable = self.nodes.usable(subject) & self.nodes.usable(object_) & np.array([bool(w) for w in written])[codes]
        for row in np.flatnonzero(~usable):
            yield Reject(f"{where} {chunk.lines[row]}", "subject or object is no CURIE, or there is no predicate")
        self.rows += int(usable.sum())
        mapped = np.array([bool(m.mapping) for m in meanings], dtype=np.bool_)[codes] & usable
        if mapped.any():
            yield from self._mappings(meanings, codes[mapped], subject[mapped], object_[mapped])
        usable &= ~mapped
        if usable.any():
            at = np.flatnonzero(usable)
            yield self._facts(table.take(pa.array(at)), meanings, codes[at], subject[at], object_[at])

    def _ends(self, table: pa.Table, side: str) -> Numbers:
        columns = [coded(table[side])]
        row, parts, _ = distinct(columns)
        keys = joined(columns, parts)
        new = [key for key, number in zip(keys, self.nodes.find(keys), strict=True) if number is None]
        ids = [id_ if is_curie(id_) else "" for id_ in map(normalise, new)]
        self.nodes.add(new, ids, [key.strip() for key in new])
        return np.array(self.nodes.find(keys), dtype=np.int64)[row]

    def _mappings(self, meanings: Sequence[Meaning], codes: Numbers, x: Numbers, y: Numbers) -> Iterator[Record]:
        predicates = pl.Series([m.mapping for m in meanings], dtype=pl.String).gather(pl.Series(codes))
        yield Batch(
            "mappings",
            pl.DataFrame({"subject": self.nodes.ids(x), "predicate": predicates, "object": self.nodes.ids(y)}),
        )

    def _facts(self, table: pa.Table, meanings: Sequence[Meaning], codes: Numbers, x: Numbers, y: Numbers) -> Batch:
        kind = np.array([self.kinds.number(Kind(m.predicate, note=m.note)) for m in meanings], dtype=np.int64)[codes]
        turned = np.array([m.turned for m in meanings], dtype=np.bool_)[codes]
        symmetric = np.array([m.symmetric for m in meanings], dtype=np.bool_)[codes]
        turned[symmetric] = ~self.nodes.smaller_first(x[symmetric], y[symmetric])
        frame = facts(self.nodes, self.kinds, kind, np.where(turned, y, x), np.where(turned, x, y))
        shares, never = weights(table)
        frame = frame.with_columns(
            note=notes(frame["note"], table, self.separator),
            negated=pl.Series(flags(table, "negated") | never),
            weight=pl.Series(np.where(never, 1.0, shares)),
            frequency=text_of(table, FREQUENCIES[0]),
        )
        if "publications" in table.column_names:
            texts = text_of(table, "publications")
            lists = texts.str.split(self.separator).list.eval(pl.element().str.strip_chars())
            frame = frame.with_columns(publications=lists.list.eval(pl.element().filter(pl.element() != "")))
        return Batch("facts", frame)


def _concepts(rows: Sequence[tuple[object, ...]]) -> Iterator[Record]:
    if rows:
        names = ("id", "category", "name", "definition", "deprecated", "xrefs")
        yield Batch("concepts", pl.DataFrame(rows, schema={name: CONCEPTS[name] for name in names}, orient="row"))


def _pairs(kind: str, rows: Sequence[tuple[object, ...]], names: Sequence[str]) -> Iterator[Record]:
    if rows:
        yield Batch(kind, pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row"))


def _columns(layout: Layout, items: Sequence[dict[str, JsonValue]], lines: Sequence[int]) -> Chunk:
    """Put objects into the columns that a table would have."""
    arrays = {}
    for name in (*layout.needed, *layout.optional):
        texts = [_plain(item.get(name)) for item in items]
        if name in layout.needed or any(texts):
            array = pa.array(texts, pa.string())
            arrays[name] = array.dictionary_encode() if name in layout.coded else array
    return Chunk(pa.table(arrays), np.array(lines, dtype=np.int64))


def _plain(value: JsonValue) -> str:
    if isinstance(value, list):
        return _JSON_LIST.join(text for one in value if (text := _plain(one)))
    if isinstance(value, dict):
        return ", ".join(f"{key} {text}" for key, one in value.items() if (text := _plain(one)))
    return "" if value is None else str(value)


def _json_chunks(entry: Entry, layout: Layout) -> Iterator[Chunk | Reject]:
    items: list[dict[str, JsonValue]] = []
    lines: list[int] = []
    size = 0
    for number, text in read_lines(entry):
        if isinstance(text, Damaged):
            yield Reject(f"line {number}", text.reason)
            continue
        if not text.strip():
            continue
        try:
            item = json.loads(text)
            if "\\u" in text:
                item = whole_characters(item)
        except (ValueError, RecursionError) as error:
            yield Reject(f"line {number}", f"no valid JSON ({type(error).__name__})")
            continue
        if not isinstance(item, dict):
            yield Reject(f"line {number}", "no JSON object")
            continue
        items.append(item)
        lines.append(number)
        size += weight(item)
        if len(items) >= _MANY or size > _MUCH:
            yield _columns(layout, items, lines)
            items, lines, size = [], [], 0
    if items:
        yield _columns(layout, items, lines)


def _read_document(entry: Entry) -> Records:
    reader = _Reader(_JSON_LIST)
    held: dict[str, tuple[list[dict[str, JsonValue]], list[int]]] = {"nodes": ([], []), "edges": ([], [])}

    def flush(array: str) -> Iterator[Record]:
        items, numbers = held[array]
        if items:
            layout, take = (_NODES, reader.node_chunk) if array == "nodes" else (_EDGES, reader.edge_chunk)
            yield from take(_columns(layout, items, numbers), f"item of {array}")
            held[array] = ([], [])

    size = 0
    for array, number, item in read_items(entry, ("nodes", "edges")):
        if not isinstance(item, dict):
            yield Reject(f"item of {array} {number}", "no JSON object")
            continue
        held[array][0].append(item)
        held[array][1].append(number)
        size += weight(item)
        if len(held[array][0]) >= _MANY or size > _MUCH:
            yield from flush("nodes")
            yield from flush("edges")
            size = 0
    yield from flush("nodes")
    yield from flush("edges")
    _check(reader, entry)


def _check(reader: _Reader, entry: Entry) -> None:
    if not reader.rows:
        raise InputError("no node and no edge in it", where=str(entry), remedy="is this a KGX graph?")


def _read_files(nodes: Entry, edges: Entry) -> Records:
    tables = nodes.name.lower().endswith(".tsv")
    chunks: Callable[[Entry, Layout], Iterator[Chunk | Reject]] = read_chunks if tables else _json_chunks
    reader = _Reader(_TABLE_LIST if tables else _JSON_LIST)
    for entry, layout, take in ((nodes, _NODES, reader.node_chunk), (edges, _EDGES, reader.edge_chunk)):
        good, first = False, ""
        for piece in chunks(entry, layout):
            if isinstance(piece, Reject):
                yield Reject(f"{entry.name} {piece.record}", piece.reason)
                first = first or f"{piece.record}: {piece.reason}"
            else:
                good = True
                yield from take(piece, f"{entry.name} line")
        if first and not good:
            raise InputError(
                f"none of its rows could be read, {first}", where=str(entry), remedy=f"is this {layout.what}?"
            )
    _check(reader, edges)


def graph_files(path: Path) -> list[Entry]:
    """Give the file of nodes and that of edges, or the one JSON document.

    Raises:
        InputError: where one of them is missing.
    """
    present = entries(path)
    if not path.is_dir() and len(present) == 1 and not present[0].name.lower().endswith(".json"):
        return _with_partner(path, present[0])
    for suffix in ("tsv", "jsonl"):
        if nodes := find(path, f"*nodes.{suffix}"):
            return [nodes, need(path, f"*edges.{suffix}", what=f"a pair NAME_nodes.{suffix} and NAME_edges.{suffix}")]
    return [need(path, "*.json", what="a pair NAME_nodes.tsv and NAME_edges.tsv (or .jsonl), or one JSON document")]


def _with_partner(path: Path, one: Entry) -> list[Entry]:
    """Find the file of edges beside that of nodes, or the other way round."""
    stem, _, suffix = one.name.rpartition(".")
    for this, other in (("nodes", "edges"), ("edges", "nodes")):
        if stem.lower().endswith(this) and suffix.lower() in ("tsv", "jsonl") and not one.member:
            beside = need_beside(path, f"{stem[: -len(this)]}{other}.{suffix}", what=f"{other} beside {this}")
            return [one, beside] if this == "nodes" else [beside, one]
    raise InputError("expected NAME_nodes.tsv, NAME_nodes.jsonl (or …_edges) or NAME.json", where=path)


def read_kgx(path: Path) -> Records:
    """Read a KGX graph.

    Raises:
        InputError: where a file is missing or cannot be read, lacks a needed column, or holds nothing.
    """
    files = graph_files(path)
    yield Header()
    yield from _read_document(files[0]) if len(files) == 1 else _read_files(*files)


FORMAT = Format(
    name="kgx",
    read=lambda source, _: read_kgx(source.path),
    title="KGX: a graph by the Biolink model, as TSV, JSON Lines or JSON",
    specification="https://github.com/biolink/kgx, docs/kgx_format.md",
    example="kgx:monarch-kg/",
    met="samples made after the specification",
    files=graph_files,
)

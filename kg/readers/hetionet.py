"""Hetionet, as tables (``…-nodes.tsv`` and ``…-edges.sif``) or as JSON, which has sources and licences of the edges.

The tables lie in one directory or archive, or beside each other where the edges are named. Of a node's properties the
description is kept, of an edge's its sources, licence and citations, and whether it was found without a bias to what
is well studied (``unbiased``); scores, whose scales differ from source to source, are left out.

Source: https://github.com/hetio/hetionet, ``hetnet/tsv/README.md`` and ``hetnet/json/README.md``
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from ehr.errors import InputError
from ehr.files import JsonValue
from kg.readers.columnar import Chunk, Layout, read_chunks
from kg.readers.graph_columns import Kind, Kinds, Nodes, Numbers, coded, distinct, facts, joined
from kg.readers.hetionet_rules import category_of, curie, rule_of, rule_of_metaedge
from kg.readers.json_stream import read_items
from kg.readers.lines import Entry, entries, find, need, need_beside, single
from kg.readers.records import Batch, Header, Record, Records, Reject
from kg.readers.source import Format

_NODES = Layout(("id", "name", "kind"), delimiter="\t", quoted=False, what="Hetionet's table of nodes")
_EDGES = Layout(
    ("source", "metaedge", "target"),
    coded=("source", "metaedge", "target"),
    delimiter="\t",
    quoted=False,
    what="Hetionet's table of edges",
)
_NODE_NAMES, _EDGE_NAMES = ("*nodes*.tsv",), ("*edges*.sif", "*-edges.tsv", "edges.tsv")
_MANY = 50_000
_MUCH = 32 << 20
"""Characters of texts that are held at once."""


def tables(path: Path) -> list[Entry]:
    """Give the table of nodes and that of edges, or the one JSON file.

    Raises:
        InputError: where one of them is missing.
    """
    present = entries(path)
    jsons = [one for one in present if one.name.lower().endswith(".json") and "metagraph" not in one.name]
    if path.is_dir() or len(present) > 1:
        if jsons and find(path, *_EDGE_NAMES) is None:
            return jsons[:1]
        what = "Hetionet's …-nodes.tsv and …-edges.sif, or its JSON file"
        return [need(path, *_NODE_NAMES, what=what), need(path, *_EDGE_NAMES, what=what)]
    one = single(path)
    if jsons or not one.name.lower().endswith((".sif", ".tsv")):
        return [one]
    if "nodes" in one.name.lower():
        return [one, need_beside(path, *_EDGE_NAMES, what="Hetionet's table of edges beside that of nodes")]
    return [need_beside(path, *_NODE_NAMES, what="Hetionet's table of nodes beside that of edges"), one]


@dataclass(slots=True)
class _Tables:
    nodes: Nodes = field(default_factory=Nodes)
    kinds: Kinds = field(default_factory=Kinds)
    rows: int = 0

    def node_chunk(self, chunk: Chunk) -> Iterator[Record]:
        """Yield the concepts of some rows of the table of nodes."""
        identifiers, names, kinds = (chunk.table[c].to_pylist() for c in ("id", "name", "kind"))
        ids, bad = [], []
        for line, written in zip(chunk.lines, identifiers, strict=True):
            ids.append(_split(written))
            if not ids[-1]:
                bad.append(Reject(f"line {line}", f"id {written[:40]!r}, expected NODE TYPE::identifier"))
        yield from bad
        frame = pl.DataFrame(
            {
                "id": pl.Series(ids, dtype=pl.String),
                "category": [category_of(kind.strip()).value for kind in kinds],
                "name": [" ".join(name.split()) for name in names],
            }
        ).filter(pl.col("id") != "")
        if frame.height:
            yield Batch("concepts", frame)

    def edge_chunk(self, chunk: Chunk) -> Iterator[Record]:
        """Yield what some rows of the table of edges state."""
        source, target = self._ends(chunk, "source"), self._ends(chunk, "target")
        usable = self.nodes.usable(source) & self.nodes.usable(target)
        for row in np.flatnonzero(~usable):
            yield Reject(f"line {chunk.lines[row]}", "source or target is no NODE TYPE::identifier")
        codes, values = coded(chunk.table["metaedge"])
        rules = [rule_of_metaedge(value.strip()) for value in values.to_pylist()]
        kind = np.array([self.kinds.number(Kind(r.predicate, note=r.note)) for r in rules], dtype=np.int64)[codes]
        turned = np.array([r.turned for r in rules], dtype=np.bool_)[codes]
        symmetric = np.array([r.symmetric for r in rules], dtype=np.bool_)[codes]
        turned[symmetric] = ~self.nodes.smaller_first(source[symmetric], target[symmetric])
        self.rows += int(usable.sum())
        if usable.any():
            subject, object_ = np.where(turned, target, source), np.where(turned, source, target)
            yield Batch("facts", facts(self.nodes, self.kinds, kind[usable], subject[usable], object_[usable]))

    def _ends(self, chunk: Chunk, side: str) -> Numbers:
        columns = [coded(chunk.table[side])]
        row, parts, _ = distinct(columns)
        keys = joined(columns, parts)
        new = [key for key, number in zip(keys, self.nodes.find(keys), strict=True) if number is None]
        self.nodes.add(new, [_split(key) for key in new], new)
        return np.array(self.nodes.find(keys), dtype=np.int64)[row]


def _split(written: str) -> str:
    """Give the id of ``Disease::DOID:263``; nothing for what is none."""
    kind, found, identifier = written.strip().partition("::")
    return curie(kind, identifier) if found else ""


def _read_tables(nodes: Entry, edges: Entry) -> Records:
    reader = _Tables()
    for piece in read_chunks(nodes, _NODES):
        yield from _named(piece, nodes) if isinstance(piece, Reject) else reader.node_chunk(piece)
    for piece in read_chunks(edges, _EDGES):
        yield from _named(piece, edges) if isinstance(piece, Reject) else reader.edge_chunk(piece)
    if not reader.rows:
        raise InputError("no edge in it", where=str(edges), remedy="is this Hetionet's table of edges?")


def _named(reject: Reject, entry: Entry) -> Iterator[Record]:
    """Say which of the two tables a line stands in."""
    yield Reject(f"{entry.name} {reject.record}", reject.reason)


class _Rows:
    """Rows of a batch, given when there are many."""

    def __init__(self, kind: str, schema: dict[str, pl.DataType | type[pl.DataType]]) -> None:
        self.kind, self.schema = kind, schema
        self.rows: list[tuple[object, ...]] = []
        self.size = 0

    def add(self, row: tuple[object, ...]) -> Iterator[Record]:
        self.rows.append(row)
        self.size += sum(len(cell) for cell in row if isinstance(cell, str | list))
        if len(self.rows) >= _MANY or self.size > _MUCH:
            yield from self.flush()

    def flush(self) -> Iterator[Record]:
        if self.rows:
            yield Batch(self.kind, pl.DataFrame(self.rows, schema=self.schema, orient="row"))
            self.rows, self.size = [], 0


def _read_json(entry: Entry) -> Records:
    concepts = _Rows("concepts", dict.fromkeys(("id", "category", "name", "definition"), pl.String))
    statements = _Rows(
        "facts",
        {
            **dict.fromkeys(("subject", "predicate", "object", "note"), pl.String),
            "publications": pl.List(pl.String),
            **dict.fromkeys(("subject_as_written", "object_as_written"), pl.String),
        },
    )
    rows = 0
    for array, number, item in read_items(entry, ("nodes", "edges")):
        found = _node(item) if array == "nodes" else _edge(item)
        if isinstance(found, str):
            yield Reject(f"item {number} of {array}", found)
        else:
            rows += 1
            yield from (concepts if array == "nodes" else statements).add(found)
    if not rows:
        raise InputError("no node and no edge in it", where=str(entry), remedy="is this Hetionet's JSON file?")
    yield from concepts.flush()
    yield from statements.flush()


def _node(item: JsonValue) -> tuple[object, ...] | str:
    """Give a node's concept as a row, or why there is none."""
    if not isinstance(item, dict):
        return "no object"
    kind, identifier = _text(item.get("kind")), _text(item.get("identifier"))
    id_ = curie(kind, identifier)
    if not id_:
        return f"no id can be made of kind {kind[:40]!r} and identifier {identifier[:40]!r}"
    data = item.get("data")
    definition = _text(data.get("description")) if isinstance(data, dict) else ""
    return id_, category_of(kind).value, _text(item.get("name")), definition


def _edge(item: JsonValue) -> tuple[object, ...] | str:
    """Give what an edge states as a row, or why it states nothing."""
    if not isinstance(item, dict):
        return "no object"
    ends = []
    for name in ("source_id", "target_id"):
        end = item.get(name)
        if not isinstance(end, list) or len(end) != 2 or not (id_ := curie(_text(end[0]), _text(end[1]))):
            return f"{name} is no pair of node type and identifier"
        ends.append((id_, _text(end[0]), _text(end[1])))
    if item.get("direction") == "backward":
        ends.reverse()
    (source, source_type, _), (target, target_type, _) = ends
    rule = rule_of(source_type, _text(item.get("kind")), target_type)
    if rule.turned or (rule.symmetric and source > target):
        ends.reverse()
    data = item.get("data")
    note, publications = _evidence(data if isinstance(data, dict) else {})
    note = "; ".join(part for part in (rule.note, note) if part)
    (subject, kind, written), (object_, other_kind, other_written) = ends
    return (
        subject,
        rule.predicate.value,
        object_,
        note,
        publications,
        f"{kind}::{written}",
        f"{other_kind}::{other_written}",
    )


def _evidence(data: dict[str, JsonValue]) -> tuple[str, list[str]]:
    """Give sources, licence and bias in a line, and the citations."""
    sources = [*_texts(data.get("source")), *_texts(data.get("sources"))]
    parts = [", ".join(dict.fromkeys(sources))[:200]]
    if licence := _text(data.get("license")):
        parts.append(f"licence {licence[:60]}")
    if data.get("unbiased") is True:
        parts.append("unbiased")
    pubmed = [f"PMID:{number}" for number in _texts(data.get("pubmed_ids")) if number.isdecimal()]
    return "; ".join(part for part in parts if part), pubmed


def _text(value: JsonValue) -> str:
    return " ".join(str(value).split()) if isinstance(value, str | int | float) and value is not True else ""


def _texts(value: JsonValue) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [text for one in values if (text := _text(one))]


def read_hetionet(path: Path) -> Records:
    """Read Hetionet from its tables or its JSON file.

    Raises:
        InputError: where a file is missing, cannot be read, or holds no edge.
    """
    files = tables(path)
    yield Header(version=_version(files[0].name))
    yield from _read_json(files[0]) if len(files) == 1 else _read_tables(*files)


def _version(name: str) -> str:
    """Give the version in a file's name (``hetionet-v1.0-nodes.tsv``)."""
    for part in name.removesuffix(".json").split("-"):
        if part[:1] == "v" and part[1:2].isdigit():
            return part[1:]
    return ""


FORMAT = Format(
    name="hetionet",
    read=lambda source, _: read_hetionet(source.path),
    title="Hetionet: tables of nodes and edges (TSV, SIF), or JSON",
    specification="https://github.com/hetio/hetionet, hetnet/tsv/README.md and hetnet/json/README.md",
    example="hetionet:hetionet-v1.0.json.bz2",
    met="v1.0: all nodes and the clinical edges of the tables; the JSON only as its README describes it",
    files=tables,
)

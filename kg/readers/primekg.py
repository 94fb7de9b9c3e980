"""PrimeKG (``kg.csv``): one row an edge, every edge in both directions, with ids, types and names of both ends.

An edge is one statement, whichever of its two rows come and in whatever order. The columns ``x_index`` and ``y_index``
are not needed: a node is known by its source and id.

Which end of a parent-child edge is the parent, the two rows do not say. PrimeKG's own code writes all edges in their
direction first and then all of them backwards, so that the place in the file tells: the reader takes the direction
from it where the relations whose direction the node types tell keep to that order all through the file. Where they do
not (a file that was sorted or shuffled), parent-child edges become `related_to`, and the note says why.

Source: https://github.com/mims-harvard/PrimeKG, ``knowledge_graph/build_graph.ipynb``
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from ehr.errors import InputError
from kg.readers.columnar import Chunk, Layout, read_chunks
from kg.readers.curies import is_curie
from kg.readers.graph_columns import Flags, Kind, Kinds, Nodes, Numbers, Seen, coded, distinct, facts, joined
from kg.readers.lines import Entry, entries, need, single
from kg.readers.primekg_rules import CATEGORIES, Rule, curie, members, rule_of
from kg.readers.records import Batch, Header, Record, Records, Reject
from kg.readers.source import Format
from kg.vocabulary import Category, Predicate

_NEEDED = (
    "relation", "display_relation",
    "x_id", "x_type", "x_name", "x_source",
    "y_id", "y_type", "y_name", "y_source",
)  # fmt: skip
_LAYOUT = Layout(
    needed=_NEEDED,
    coded=frozenset(_NEEDED) - {"x_name", "y_name"},
    what="PrimeKG's kg.csv",
)
_NO_DIRECTION = "parent-child, direction not told"
_BOTH_DIRECTIONS = "parent-child in both directions"


@dataclass(slots=True)
class _Order:
    """Whether rows in PrimeKG's own direction all come before rows backwards, and where the one turns to the other."""

    last_forward: int = -1
    first_backward: int | None = None

    def note(self, forward: Numbers, backward: Numbers) -> None:
        """Take the lines of rows in the one and the other direction."""
        if len(forward):
            self.last_forward = max(self.last_forward, int(forward.max()))
        if len(backward):
            first = int(backward.min())
            self.first_backward = first if self.first_backward is None else min(self.first_backward, first)

    def told(self, lines: Numbers) -> tuple[Flags, Flags]:
        """Say which rows stand in PrimeKG's own direction, and which backwards; neither where that is not known."""
        nothing = np.zeros(len(lines), dtype=np.bool_)
        if self.last_forward < 0:
            return nothing, nothing
        if self.first_backward is None:
            return ~nothing, nothing
        if self.first_backward < self.last_forward:
            return nothing, nothing
        return lines < self.last_forward, lines > self.first_backward


@dataclass(slots=True)
class _Reader:
    nodes: Nodes = field(default_factory=Nodes)
    kinds: Kinds = field(default_factory=Kinds)
    seen: Seen = field(default_factory=Seen)
    order: _Order = field(default_factory=_Order)
    hierarchy: list[tuple[Numbers, Numbers, Numbers, Numbers]] = field(default_factory=list)
    """Kind, child and parent if the row stands in PrimeKG's own direction, line."""
    rows: int = 0

    def chunk(self, chunk: Chunk) -> Iterator[Record]:
        """Yield what a piece of the file says."""
        sides = {}
        for side in "xy":
            sides[side], new = self._side(chunk.table, side)
            yield from new
        x, y, lines = sides["x"], sides["y"], chunk.lines
        usable = self.nodes.usable(x) & self.nodes.usable(y)
        if not usable.all():
            yield from self._rejects(chunk, usable, x)
        code, rules = self._rules(chunk.table)
        self.rows += int(usable.sum())
        number = self._kind_numbers(rules)
        kind = number[code]
        turned = self._turned(code, rules, x, y, chunk.table)
        subject, object_ = np.where(turned, y, x), np.where(turned, x, y)
        hierarchy = np.array([bool(rule.parent) for rule in rules], dtype=np.bool_)[code] & usable
        if hierarchy.any():
            self.hierarchy.append((kind[hierarchy], subject[hierarchy], object_[hierarchy], lines[hierarchy]))
        self._note_order(code, rules, chunk, usable)
        usable &= ~hierarchy
        given, held = usable & ~turned, usable & turned
        self.seen.hold(kind[held], subject[held], object_[held])
        if given.any():
            kind, subject, object_ = kind[given], subject[given], object_[given]
            self.seen.give(kind, subject, object_)
            yield Batch("facts", facts(self.nodes, self.kinds, kind, subject, object_))

    def _side(self, table: pa.Table, side: str) -> tuple[Numbers, list[Record]]:
        """Give the numbers of the nodes at one end of the edges, and the concepts that are new."""
        columns = [coded(table[f"{side}_source"]), coded(table[f"{side}_id"])]
        row, parts, first = distinct(columns)
        keys = joined(columns, parts)
        known = self.nodes.find(keys)
        new = [i for i, number in enumerate(known) if number is None]
        records: list[Record] = []
        if new:
            records = self._declare(table, side, [keys[i] for i in new], first[new])
            known = self.nodes.find(keys)
        return np.array(known, dtype=np.int64)[row], records

    def _declare(self, table: pa.Table, side: str, keys: list[str], rows: Numbers) -> list[Record]:
        at = pa.array(rows)
        sources, written, types, names = (
            table[f"{side}_{column}"].take(at).to_pylist() for column in ("source", "id", "type", "name")
        )
        ids = [_identify(source, text) for source, text in zip(sources, written, strict=True)]
        self.nodes.add(keys, ids, written)
        concepts = pl.DataFrame(
            {
                "id": pl.Series(ids, dtype=pl.String),
                "category": [CATEGORIES.get(t.strip(), Category.OTHER).value for t in types],
                "name": [" ".join(name.split()) for name in names],
            }
        ).filter(pl.col("id") != "")
        pairs = [
            (id_, member)
            for source, text, id_ in zip(sources, written, ids, strict=True)
            for member in (members(source, text) if id_ else ())
        ]
        records: list[Record] = [Batch("concepts", concepts)] if concepts.height else []
        if pairs:
            frame = pl.DataFrame(pairs, schema=["subject", "object"], orient="row")
            records.append(Batch("mappings", frame.with_columns(predicate=pl.lit("skos:narrowMatch"))))
        return records

    def _rejects(self, chunk: Chunk, usable: Flags, x: Numbers) -> Iterator[Reject]:
        bad = np.flatnonzero(~usable)
        for row, is_x in zip(bad, ~self.nodes.usable(x[bad]), strict=True):
            side = "x" if is_x else "y"
            source, text = (chunk.table[f"{side}_{c}"][int(row)].as_py()[:40] for c in ("source", "id"))
            yield Reject(f"line {chunk.lines[row]}", f"no id can be made of {side}_source {source!r} and id {text!r}")

    def _rules(self, table: pa.Table) -> tuple[Numbers, list[Rule]]:
        columns = [coded(table[c]) for c in ("relation", "display_relation", "x_type", "y_type")]
        code, parts, _ = distinct(columns)
        texts = [values.take(pa.array(p)).to_pylist() for (_, values), p in zip(columns, parts, strict=True)]
        return code, [rule_of(*(text.strip() for text in one)) for one in zip(*texts, strict=True)]

    def _kind_numbers(self, rules: list[Rule]) -> Numbers:
        kinds = [Kind(rule.predicate, rule.negated, rule.note) for rule in rules]
        return np.array([self.kinds.number(kind) for kind in kinds], dtype=np.int64)

    def _turned(self, code: Numbers, rules: list[Rule], x: Numbers, y: Numbers, table: pa.Table) -> Flags:
        """Say in which rows ``y`` is the subject."""
        types, values = coded(table["x_type"])
        values = [value.strip() for value in values.to_pylist()]
        turned = np.zeros(len(code), dtype=np.bool_)
        symmetric = np.array([rule.symmetric for rule in rules], dtype=np.bool_)[code]
        for i, rule in enumerate(rules):
            if rule.parent == "x":
                turned |= code == i
            elif rule.subject:
                is_subject = np.array([value == rule.subject for value in values], dtype=np.bool_)
                turned |= (code == i) & ~is_subject[types]
        turned[symmetric] = ~self.nodes.smaller_first(x[symmetric], y[symmetric])
        return turned

    def _note_order(self, code: Numbers, rules: list[Rule], chunk: Chunk, usable: Flags) -> None:
        types, values = coded(chunk.table["x_type"])
        names = [value.strip() for value in values.to_pylist()]
        for i, rule in enumerate(rules):
            if rule.first:
                forward = np.array([name == rule.first for name in names], dtype=np.bool_)[types]
                here = (code == i) & usable
                self.order.note(chunk.lines[here & forward], chunk.lines[here & ~forward])

    def finish(self) -> Iterator[Record]:
        """Yield the edges that came backwards only, and the hierarchies."""
        kind, subject, object_ = self.seen.left()
        if len(kind):
            yield Batch("facts", facts(self.nodes, self.kinds, kind, subject, object_))
        if self.hierarchy:
            yield from self._hierarchy()

    def _hierarchy(self) -> Iterator[Record]:
        kind, child, parent, lines = (np.concatenate(part) for part in zip(*self.hierarchy, strict=True))
        forward, backward = self.order.told(lines)
        told = forward | backward
        frame = pl.DataFrame(
            {
                "kind": kind,
                "child": np.where(backward, parent, child),
                "parent": np.where(backward, child, parent),
                "told": told,
            }
        ).unique(maintain_order=True)
        turned = frame.select("kind", child="parent", parent="child", told="told")
        clear = frame.filter("told").join(turned, on=["kind", "child", "parent", "told"], how="anti")
        yield from self._facts(clear["kind"], clear["child"], clear["parent"])
        for note, rest in (
            (_BOTH_DIRECTIONS, frame.filter("told").join(clear, on=frame.columns, how="anti")),
            (_NO_DIRECTION, frame.filter(~pl.col("told"))),
        ):
            x, y = rest["child"].to_numpy(), rest["parent"].to_numpy()
            if len(x):
                ordered = self.nodes.smaller_first(x, y)
                pairs = pl.DataFrame({"a": np.where(ordered, x, y), "b": np.where(ordered, y, x)})
                pairs = pairs.unique(maintain_order=True)
                number = self.kinds.number(Kind(Predicate.RELATED_TO, note=note))
                yield from self._facts(pl.repeat(number, pairs.height, eager=True), pairs["a"], pairs["b"])

    def _facts(self, kind: pl.Series, subject: pl.Series, object_: pl.Series) -> Iterator[Record]:
        if len(kind):
            arrays = (column.cast(pl.Int64).to_numpy() for column in (kind, subject, object_))
            yield Batch("facts", facts(self.nodes, self.kinds, *arrays))


def _identify(source: str, written: str) -> str:
    """Give a node's id; nothing where what the file has makes none."""
    found = curie(source, written) if written.strip() and source.strip() else ""
    return found if is_curie(found) else ""


def entry(path: Path) -> Entry:
    """Give the edge table: the file itself, or ``kg.csv`` in a directory or archive of several files."""
    if path.is_dir() or len(entries(path)) > 1:
        return need(path, "kg.csv", "*kg*.csv", what="PrimeKG's kg.csv")
    return single(path)


def read_primekg(path: Path) -> Records:
    """Read PrimeKG, plain, gzipped or in a zip archive.

    Raises:
        InputError: where the file cannot be read, lacks a needed column or holds no edge.
    """
    yield Header()
    reader = _Reader()
    for piece in read_chunks(entry(path), _LAYOUT):
        if isinstance(piece, Reject):
            yield piece
        else:
            yield from reader.chunk(piece)
    if not reader.rows:
        raise InputError("no edge in it", where=path, remedy="is this PrimeKG's kg.csv?")
    yield from reader.finish()


FORMAT = Format(
    name="primekg",
    read=lambda source, _: read_primekg(source.path),
    title="PrimeKG, the precision medicine knowledge graph (kg.csv)",
    specification="https://github.com/mims-harvard/PrimeKG, knowledge_graph/build_graph.ipynb",
    example="primekg:kg.csv",
    met="files of its layout and size made by benchmarks/primekg_like.py; not the release itself",
    files=lambda path: [entry(path)],
)

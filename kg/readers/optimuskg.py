"""OptimusKG: a directory of Parquet files, two for all types or one a node or edge type.

``nodes.parquet`` and ``edges.parquet`` are taken where they are there, since they are complete; in them properties are
texts of JSON, and of the edges' none is read. In the files of single types (``nodes/*.parquet``, ``edges/*.parquet``)
properties may be columns: then the evidence has sources, citations and frequencies.

Source: https://github.com/mims-harvard/OptimusKG, ``docs/content/docs/graph-schema`` and ``…/optimuskg-client.mdx``
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ehr.errors import InputError
from kg.readers.curies import is_citation, is_curie, normalise
from kg.readers.graph_columns import Kind, Kinds, Nodes, Numbers, coded, distinct, facts, joined
from kg.readers.lines import Entry, entries
from kg.readers.optimuskg_rules import CATEGORIES, curie, rule_of
from kg.readers.packing import is_directory
from kg.readers.records import XREF, Batch, Header, Record, Records, Reject
from kg.readers.source import Format
from kg.schema import CONCEPTS
from kg.vocabulary import Category

_ROWS = 100_000
_MANY_ROWS, _ROWS_A_BYTE = 10_000_000, 10
"""A file of more rows has bytes to match; one that has not is meant to be read without end."""

_NODE_ROWS = 10_000
_SYNONYMS = {
    "exact": ("synonyms", "exact_synonyms", "exactSynonyms", "hasExactSynonym", "name_synonyms", "trade_names"),
    "related": ("related_synonyms", "relatedSynonyms", "symbol_synonyms", "obsolete_terms"),
    "narrow": ("narrow_synonyms", "narrowSynonyms"),
    "broad": ("broad_synonyms", "broadSynonyms"),
}
_XREFS = ("xrefs", "db_xrefs", "dbXRefs", "cross_references")
_WHAT = "a directory of OptimusKG's Parquet files: nodes/*.parquet and edges/*.parquet, or nodes.parquet, edges.parquet"


def parquet_files(path: Path) -> tuple[list[Path], list[Path]]:
    """Give the files of nodes and those of edges.

    Raises:
        InputError: where there are none of one of them.
    """
    folder = path if is_directory(path) else path.parent
    if folder != path and path.suffix != ".parquet":
        raise InputError("is no Parquet file", where=path, remedy=f"expected {_WHAT}")
    present = [one.path for one in entries(folder)]
    found = []
    for kind in ("nodes", "edges"):
        single = [p for p in present if p.suffix == ".parquet" and p.parent.name == kind and p.parent != folder]
        whole = [
            p
            for name in (f"{kind}.parquet", f"largest_connected_component_{kind}.parquet")
            for p in present
            if p.name == name
        ]
        if not (single or whole):
            shown = ", ".join(p.name for p in present[:6]) or "nothing"
            raise InputError(f"holds no {kind}.parquet, found {shown}", where=folder, remedy=f"expected {_WHAT}")
        found.append(whole[:1] or single)
    return found[0], found[1]


@contextmanager
def _parquet(path: Path, needed: Sequence[str]) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(path) as file:
            size = path.stat().st_size
            if file.metadata.num_rows > max(_MANY_ROWS, _ROWS_A_BYTE * size):
                raise InputError(f"claims {file.metadata.num_rows:,} rows in {size:,} bytes", where=path)
            names = file.schema_arrow.names
            for column in needed:
                if column not in names:
                    shown = ", ".join(names[:12]) or "nothing"
                    raise InputError(f"no column {column!r}, found {shown}", where=path, remedy=f"is this {_WHAT}?")
            yield file
    except (pa.ArrowException, OSError, UnicodeError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise InputError(f"no readable Parquet file ({reason})", where=path, remedy="fetch it again") from error


@dataclass(slots=True)
class _Reader:
    nodes: Nodes = field(default_factory=Nodes)
    kinds: Kinds = field(default_factory=Kinds)
    edges: int = 0

    def node_file(self, path: Path) -> Iterator[Record]:
        """Yield the concepts of one file of nodes."""
        with _parquet(path, ("id", "label")) as file:
            columns = [name for name in ("id", "label", "properties") if name in file.schema_arrow.names]
            row = 0
            for batch in file.iter_batches(batch_size=_NODE_ROWS, columns=columns):
                batch.validate(full=True)  # a damaged page may hold anything
                yield from _nodes(batch.to_pydict(), f"{path.name} row", row)
                row += batch.num_rows

    def edge_file(self, path: Path) -> Iterator[Record]:
        """Yield what the edges of one file state."""
        with _parquet(path, ("from", "to", "label", "relation")) as file:
            columns = ["from", "to", "label", "relation", *_evidence_columns(file.schema_arrow)]
            row = 0
            for batch in file.iter_batches(batch_size=_ROWS, columns=columns):
                batch.validate(full=True)
                yield from self._edges(pl.DataFrame(pl.from_arrow(batch)), f"{path.name} row", row)
                row += batch.num_rows

    def _edges(self, frame: pl.DataFrame, where: str, start: int) -> Iterator[Record]:
        frame = frame.with_row_index("row", offset=start + 1)
        if isinstance(frame.schema["relation"], pl.List):
            frame = frame.explode("relation")
        frame = frame.with_columns(
            pl.col("from", "to", "label", "relation").cast(pl.String).fill_null("").str.strip_chars()
        )
        x, y = self._ends(frame["from"]), self._ends(frame["to"])
        usable = self.nodes.usable(x) & self.nodes.usable(y)
        for row in frame["row"].filter(pl.Series(~usable)):
            yield Reject(f"{where} {row}", "no id can be made of from or to")
        if not usable.any():
            return
        self.edges += int(usable.sum())
        frame, x, y = frame.filter(pl.Series(usable)), x[usable], y[usable]
        kind, turned = self._meanings(frame, x, y)
        told = facts(self.nodes, self.kinds, kind, np.where(turned, y, x), np.where(turned, x, y))
        yield Batch("facts", told.with_columns(**_evidence(frame, told)))

    def _ends(self, column: pl.Series) -> Numbers:
        columns = [_codes(column)]
        row, parts, _ = distinct(columns)
        keys = joined(columns, parts)
        new = [key for key, number in zip(keys, self.nodes.find(keys), strict=True) if number is None]
        self.nodes.add(new, [curie(key) for key in new], new)
        return np.array(self.nodes.find(keys), dtype=np.int64)[row]

    def _meanings(self, frame: pl.DataFrame, x: Numbers, y: Numbers) -> tuple[Numbers, np.ndarray]:
        """Give the kind of each edge, and where its ``to`` is the subject."""
        columns = [_codes(frame["label"]), _codes(frame["relation"])]
        code, parts, _ = distinct(columns)
        labels, relations = (v.take(pa.array(p)).to_pylist() for (_, v), p in zip(columns, parts, strict=True))
        rules = [rule_of(label, relation) for label, relation in zip(labels, relations, strict=True)]
        kind = [self.kinds.number(Kind(rule.predicate, rule.negated, rule.note)) for rule in rules]
        turned = np.array(
            [
                rule.turned
                or (bool(rule.subject) and label.partition("-")[2] == rule.subject != label.partition("-")[0])
                for rule, label in zip(rules, labels, strict=True)
            ],
            dtype=np.bool_,
        )[code]
        symmetric = np.array([rule.symmetric for rule in rules], dtype=np.bool_)[code]
        turned[symmetric] = ~self.nodes.smaller_first(x[symmetric], y[symmetric])
        return np.array(kind, dtype=np.int64)[code], turned


def _codes(column: pl.Series) -> tuple[Numbers, pa.Array]:
    return coded(pa.chunked_array([pa.array(column.to_arrow(), pa.string()).dictionary_encode()]))


def _evidence_columns(schema: pa.Schema) -> list[str]:
    """Give the nested columns that say where an edge comes from."""
    if "properties" not in schema.names or not pa.types.is_struct(schema.field("properties").type):
        return []
    inner = {f.name for f in schema.field("properties").type}
    return [f"properties.{name}" for name in ("sources", "references", "reference_ids", "frequency") if name in inner]


def _evidence(frame: pl.DataFrame, told: pl.DataFrame) -> dict[str, pl.Series]:
    """Give note, citations and frequency, as far as the file has them as columns."""
    if "properties" not in frame.columns:
        return {}
    properties = frame["properties"].struct.unnest()
    found: dict[str, pl.Series] = {}
    if "sources" in properties.columns:
        sources = properties["sources"]
        direct = sources.struct.field("direct") if isinstance(sources.dtype, pl.Struct) else sources
        if isinstance(direct.dtype, pl.List):
            text = direct.cast(pl.List(pl.String)).list.join(", ", ignore_nulls=True).fill_null("")
            both = pl.DataFrame({"note": told["note"], "source": text})
            found["note"] = both.select(
                pl.concat_str(
                    [pl.when(pl.col(name) != "").then(pl.col(name)) for name in both.columns],
                    separator="; ",
                    ignore_nulls=True,
                ).fill_null("")
            ).to_series()
    for name in ("references", "reference_ids"):
        if name in properties.columns and isinstance(properties[name].dtype, pl.List):
            lists = properties[name].cast(pl.List(pl.String)).list.drop_nulls()
            found["publications"] = pl.DataFrame({"p": lists}).select(pl.col("p").fill_null([])).to_series()
            break
    if "frequency" in properties.columns and isinstance(properties["frequency"].dtype, pl.List):
        joined_ = properties["frequency"].cast(pl.List(pl.String)).list.join(", ", ignore_nulls=True)
        found["frequency"] = joined_.fill_null("")
    return found


def _nodes(columns: Mapping[str, Sequence[object]], where: str, start: int) -> Iterator[Record]:
    """Yield the concepts of some nodes, their other names and cross-references."""
    concepts: list[tuple[object, ...]] = []
    synonyms: list[tuple[object, ...]] = []
    mappings: list[tuple[object, ...]] = []
    properties = columns.get("properties", [None] * len(columns["id"]))
    for row, (written, label, held) in enumerate(
        zip(columns["id"], columns["label"], properties, strict=True), start + 1
    ):
        id_ = curie(written) if isinstance(written, str) else ""
        if not id_:
            yield Reject(f"{where} {row}", f"no id can be made of {str(written)[:40]!r}")
            continue
        known = _properties(held)
        symbol, name = _text(known.get("symbol")), _text(known.get("name"))
        category = CATEGORIES.get(label, Category.OTHER) if isinstance(label, str) else Category.OTHER
        xrefs = [normalise(one) for key in _XREFS for one in _texts(known.get(key))]
        xrefs = [one for one in dict.fromkeys(xrefs) if is_curie(one) and one != id_]
        definition = _text(known.get("description")) or _text(known.get("definition"))
        concepts.append((id_, category.value, symbol or name, definition, xrefs))
        names = {symbol or name}
        for scope, text in [
            ("exact", name),
            *((s, t) for s, keys in _SYNONYMS.items() for k in keys for t in _texts(known.get(k))),
        ]:
            if text and text not in names:
                names.add(text)
                synonyms.append((id_, text, scope, ""))
        mappings += [(id_, XREF, one) for one in xrefs if not is_citation(one)]
    yield from _rows("concepts", concepts, {n: CONCEPTS[n] for n in ("id", "category", "name", "definition", "xrefs")})
    yield from _rows("synonyms", synonyms, dict.fromkeys(("concept", "text", "scope", "kind"), pl.String))
    yield from _rows("mappings", mappings, dict.fromkeys(("subject", "predicate", "object"), pl.String))


def _rows(
    kind: str, rows: list[tuple[object, ...]], schema: Mapping[str, pl.DataType | type[pl.DataType]]
) -> Iterator[Record]:
    if rows:
        yield Batch(kind, pl.DataFrame(rows, schema=schema, orient="row"))


def _properties(held: object) -> Mapping[str, object]:
    """Give a node's properties, whether they are columns or a text of JSON."""
    if isinstance(held, str):
        try:
            held = json.loads(held)
        except (ValueError, RecursionError):
            return {}
    return held if isinstance(held, dict) else {}


def _text(value: object) -> str:
    if not isinstance(value, str):
        return ""
    return " ".join(value.encode("utf-8", "replace").decode().split())


def _texts(value: object) -> list[str]:
    """Give the texts of a list, of structs with a label, or of a single value."""
    values = value if isinstance(value, list) else [value]
    labels = (one.get("label", one.get("id")) if isinstance(one, dict) else one for one in values)
    return [text for one in labels if (text := _text(one))]


def read_optimuskg(path: Path) -> Records:
    """Read OptimusKG.

    Raises:
        InputError: where a file is missing or no Parquet, lacks a needed column, or there is no edge.
    """
    nodes, edges = parquet_files(path)
    yield Header()
    reader = _Reader()
    for file in nodes:
        yield from reader.node_file(file)
    for file in edges:
        yield from reader.edge_file(file)
    if not reader.edges:
        raise InputError("no edge in it", where=path, remedy=f"is this {_WHAT}?")


def _files(path: Path) -> list[Entry]:
    nodes, edges = parquet_files(path)
    return [Entry(file) for file in (*nodes, *edges)]


FORMAT = Format(
    name="optimuskg",
    read=lambda source, _: read_optimuskg(source.path),
    title="OptimusKG (Parquet)",
    specification="https://github.com/mims-harvard/OptimusKG, docs/content/docs/graph-schema",
    example="optimuskg:optimuskg/",
    met="samples made after its documentation and code; not the release itself",
    files=_files,
)

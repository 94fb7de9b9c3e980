"""What a bundle's tables hold, as one hash: independent of how Parquet stores it and of the order of rows."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import polars as pl

from kg.schema import Schema

_FIELD, _ITEM, _NULL = "chr(31)", "chr(30)", "chr(1)"


def content_hash(files: Sequence[Path], schema: Schema) -> str:
    """Give the hash of the rows of Parquet files as a multiset.

    The MD5 of each row is added up in two halves of 64 bits: equal rows in whatever order give equal sums. It guards
    against accidents, not against an adversary.

    Args:
        files: of one table; none is an empty table.
        schema: its columns.
    """
    if not files:
        return _digest(schema, 0, 0, 0)
    row = row_text(schema)
    with duckdb.connect(config={"threads": "2"}) as connection:
        found = connection.execute(
            f"""SELECT count(*), coalesce(sum(md5_number_lower(r)), 0), coalesce(sum(md5_number_upper(r)), 0)
            FROM (SELECT {row} AS r FROM read_parquet({quoted(files)}))"""
        ).fetchone()
    assert found is not None  # noqa: S101  (an aggregate gives one row)
    return _digest(schema, *(int(one) for one in found))


def row_text(schema: Mapping[str, object]) -> str:
    """Give SQL for a row as one text, which differs where any of the columns does."""
    return f" || {_FIELD} || ".join(_text(name, kind) for name, kind in schema.items())


def _text(name: str, kind: object) -> str:
    if isinstance(kind, pl.List):
        return f'concat(len("{name}"), {_ITEM}, array_to_string("{name}", {_ITEM}))'
    return f'coalesce(CAST("{name}" AS VARCHAR), {_NULL})'


def _digest(schema: Schema, rows: int, lower: int, upper: int) -> str:
    return hashlib.sha256(f"{','.join(schema)} {rows} {lower} {upper}".encode()).hexdigest()


def bundle_hash(tables: Mapping[str, str]) -> str:
    """Give the bundle's hash from its tables' hashes (rejects and refused cliques are no knowledge)."""
    text = "\n".join(f"{name} {tables[name]}" for name in sorted(tables) if name not in ("rejects", "cliques"))
    return hashlib.sha256(text.encode()).hexdigest()


def quoted(files: Sequence[Path]) -> str:
    """Give paths as a list in DuckDB's SQL, signs of patterns and quotes made harmless."""
    texts = (re.sub(r"[*?\[]", lambda sign: f"[{sign[0]}]", str(file)) for file in files)
    return "[" + ", ".join("'" + text.replace("'", "''") + "'" for text in texts) + "]"

"""What a bundle's tables hold, as one hash: independent of how Parquet stores it and of the order of rows."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from kg.duck import connect
from kg.schema import Schema

_MEMORY = "400MB"
_FIELD, _ITEM, _NULL = "chr(31)", "chr(30)", "chr(1)"


def content_hash(files: Sequence[Path], schema: Schema) -> str:
    """Give the hash of the rows of Parquet files as a multiset.

    The MD5 of each row is joined by exclusive or, in whatever order; no table holds a row twice. It guards against
    accidents, not against an adversary.

    Args:
        files: of one table; none is an empty table.
        schema: its columns.
    """
    if not files:
        return _digest(schema, 0, 0)
    row = row_text({name: kind for name, kind in schema.items() if name not in _IMPLIED})
    with connect(_MEMORY) as connection:
        found = connection.execute(
            f"SELECT count(*), coalesce(bit_xor(md5_number({row})), 0) FROM read_parquet({quoted(files)})"
        ).fetchone()
    assert found is not None  # noqa: S101  (an aggregate gives one row)
    return _digest(schema, int(found[0]), int(found[1]))


_IMPLIED = frozenset({"caption"})
"""Columns that are made of others."""


def row_text(schema: Mapping[str, object]) -> str:
    """Give SQL for a row as one text, which differs where any of the columns does."""
    return f"concat_ws({_FIELD}, {', '.join(_text(name, kind) for name, kind in schema.items())})"


def _text(name: str, kind: object) -> str:
    if isinstance(kind, pl.List):
        return f'concat(len("{name}"), {_ITEM}, array_to_string("{name}", {_ITEM}))'
    return f'coalesce(CAST("{name}" AS VARCHAR), {_NULL})'


def _digest(schema: Schema, rows: int, joined: int) -> str:
    return hashlib.sha256(f"{','.join(schema)} {rows} {joined}".encode()).hexdigest()


def bundle_hash(tables: Mapping[str, str]) -> str:
    """Give the bundle's hash from its tables' hashes (rejects and refused cliques are no knowledge)."""
    text = "\n".join(f"{name} {tables[name]}" for name in sorted(tables) if name not in ("rejects", "cliques"))
    return hashlib.sha256(text.encode()).hexdigest()


def quoted(files: Sequence[Path]) -> str:
    """Give paths as a list in DuckDB's SQL, signs of patterns and quotes made harmless."""
    texts = (re.sub(r"[*?\[]", lambda sign: f"[{sign[0]}]", str(file)) for file in files)
    return "[" + ", ".join("'" + text.replace("'", "''") + "'" for text in texts) + "]"

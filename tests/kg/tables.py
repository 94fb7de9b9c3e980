"""Bundles made of a few rows, for tests that do not build one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from kg.bundle import FORMAT
from kg.schema import ORDER, TABLES
from kg.vocabulary import Predicate

EMPTY: dict[str, object] = {
    "definition": "",
    "deprecated": False,
    "replaced_by": None,
    "xrefs": [],
    "equivalents": [],
    "sources": ["test"],
    "definition_source": "",
    "source": "test",
    "scope": "exact",
    "kind": "",
    "negated": False,
    "publications": [],
    "checked": None,
    "version": "",
    "weight": 1.0,
    "frequency": "",
    "subject_as_written": "",
    "object_as_written": "",
    "note": "",
    "caption": "",
}
Rows = Sequence[Mapping[str, object]]


def write_tables(
    path: Path, tables: Mapping[str, Rows], *, hash_: str = "test", sources: Sequence[Mapping[str, object]] = ()
) -> None:
    """Write tables in the layout of a bundle; columns that a row leaves out are empty, rows come in order."""
    path.mkdir(parents=True, exist_ok=True)
    for name, schema in TABLES.items():
        rows = [tuple(row[c] if c in row else EMPTY[c] for c in schema) for row in tables.get(name, ())]
        frame = pl.DataFrame(rows, schema=schema, orient="row").sort(ORDER[name])
        if name != "statements":
            frame.write_parquet(path / f"{name}.parquet")
            continue
        (path / name).mkdir(exist_ok=True)
        for old in (path / name).iterdir():
            old.unlink()
        for (predicate,), part in frame.partition_by("predicate", as_dict=True, maintain_order=True).items():
            part.write_parquet(path / name / f"{Predicate(predicate).relationship}.parquet")
    manifest = {"format": FORMAT, "hash": hash_, "sources": list(sources)}
    (path / "manifest.json").write_text(json.dumps(manifest))

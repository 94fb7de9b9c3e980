"""``kg validate``: whether a bundle is whole, consistent with itself, and what its manifest says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from kg.bundle import Bundle, intact
from kg.content import bundle_hash, content_hash
from kg.schema import NULLABLE, ORDER, TABLES
from kg.types import statement_id
from kg.vocabulary import Category, Predicate

_SCOPES = ("exact", "narrow", "broad", "related")
_CURIE = r"^[A-Z][A-Z0-9_.-]*:[^\s]+$"


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind of fault: in which table, what, how many rows, and one of them."""

    table: str
    what: str
    count: int
    example: str = ""


def validate(path: Path) -> list[Problem]:
    """Check a bundle.

    Checks files and content against the manifest's hashes; nulls; order; ids (unique, CURIEs, statement ids
    recomputed); categories, predicates, scopes and weights; and that every reference leads to a row.

    Returns:
        Problems by table, empty for a sound bundle.

    Raises:
        InputError: where this is no bundle or a table's schema is not as it should be.
    """
    bundle = Bundle.open(path)
    tables = {name: bundle.table(name).collect() for name in TABLES}
    checks: tuple[Callable[[dict[str, pl.DataFrame]], Iterator[Problem]], ...] = (
        _nulls,
        _order,
        _vocabulary,
        _identifiers,
        _references,
        _summaries,
    )
    problems = list(_manifest(bundle, tables))
    for check in checks:
        problems.extend(check(tables))
    return sorted(problems, key=lambda problem: (problem.table, problem.what))


def _found(table: str, what: str, rows: pl.DataFrame, column: str) -> Iterator[Problem]:
    if rows.height:
        yield Problem(table, what, rows.height, str(rows[column][0]))


def _manifest(bundle: Bundle, tables: dict[str, pl.DataFrame]) -> Iterator[Problem]:
    if not intact(bundle.path, bundle.manifest):
        yield Problem("manifest", "a file is not byte for byte the one that was built", 1)
    hashes = {name: content_hash(bundle.files(name), TABLES[name]) for name in tables}
    if bundle_hash(hashes) != bundle.hash:
        yield Problem("manifest", "hash is not that of the content", 1, bundle.hash)
    stated = bundle.manifest.get("tables")
    for name, frame in tables.items():
        info = stated.get(name) if isinstance(stated, dict) else None
        if not isinstance(info, dict) or info.get("rows") != frame.height:
            yield Problem(name, f"{frame.height} rows, the manifest says otherwise", 1)


def _nulls(tables: dict[str, pl.DataFrame]) -> Iterator[Problem]:
    for name, frame in tables.items():
        for column in frame.columns:
            if (name, column) not in NULLABLE and frame[column].null_count():
                yield Problem(name, f"column {column} is null", frame[column].null_count())


def _order(tables: dict[str, pl.DataFrame]) -> Iterator[Problem]:
    keys = {name: list(columns) for name, columns in ORDER.items()}
    for name, columns in keys.items():
        frame = tables[name].select(columns)
        if not frame.equals(frame.sort(columns)):
            yield Problem(name, f"not sorted by {', '.join(columns)}", 1)
    for name in ("concepts", "statements"):
        doubled = tables[name].filter(pl.col("id").is_duplicated())
        yield from _found(name, "id stands twice", doubled, "id")
    for name in ("synonyms", "mappings", "rejects"):
        yield from _found(
            name, "row stands twice", tables[name].filter(tables[name].is_duplicated()), tables[name].columns[0]
        )


def _vocabulary(tables: dict[str, pl.DataFrame]) -> Iterator[Problem]:
    for table, column, allowed in (
        ("concepts", "category", [c.value for c in Category]),
        ("statements", "predicate", [p.value for p in Predicate]),
        ("synonyms", "scope", list(_SCOPES)),
    ):
        yield from _found(table, f"unknown {column}", tables[table].filter(~pl.col(column).is_in(allowed)), column)
    for table in ("statements", "evidence"):
        outside = tables[table].filter(~pl.col("weight").is_between(0.0, 1.0))
        yield from _found(table, "weight outside 0 to 1", outside, "weight")


def _identifiers(tables: dict[str, pl.DataFrame]) -> Iterator[Problem]:
    yield from _found("concepts", "id is no CURIE", tables["concepts"].filter(~pl.col("id").str.contains(_CURIE)), "id")
    yield from _found("concepts", "name is empty", tables["concepts"].filter(pl.col("name") == ""), "id")
    known = {predicate.value: predicate for predicate in Predicate}
    rows = tables["statements"].select("id", "subject", "predicate", "object", "negated").iter_rows()
    wrong = [i for i, s, p, o, n in rows if p in known and statement_id(s, known[p], o, n) != i]
    if wrong:
        yield Problem("statements", "id is not the hash of the triple", len(wrong), wrong[0])


def _references(tables: dict[str, pl.DataFrame]) -> Iterator[Problem]:
    concepts = tables["concepts"].select("id")
    statements = tables["statements"]
    for column in ("subject", "object"):
        missing = statements.join(concepts, left_on=column, right_on="id", how="anti")
        yield from _found("statements", f"{column} is no concept", missing, column)
    lost = tables["synonyms"].join(concepts, left_on="concept", right_on="id", how="anti")
    yield from _found("synonyms", "concept is not there", lost, "concept")
    stray = tables["evidence"].join(statements, left_on="statement", right_on="id", how="anti")
    yield from _found("evidence", "statement is not there", stray, "statement")
    bare = statements.join(tables["evidence"], left_on="id", right_on="statement", how="anti")
    yield from _found("statements", "statement without evidence", bare, "id")


def _summaries(tables: dict[str, pl.DataFrame]) -> Iterator[Problem]:
    """Weight and sources of a statement are those of its evidence."""
    grouped = (
        tables["evidence"]
        .group_by("statement")
        .agg(strongest=pl.col("weight").max(), stated=pl.col("source").unique().sort())
    )
    both = tables["statements"].join(grouped, left_on="id", right_on="statement")
    yield from _found(
        "statements",
        "weight is not the highest of its evidence",
        both.filter(pl.col("weight") != pl.col("strongest")),
        "id",
    )
    yield from _found(
        "statements", "sources are not those of its evidence", both.filter(pl.col("sources") != pl.col("stated")), "id"
    )

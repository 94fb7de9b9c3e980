"""``kg validate``: whether a bundle is whole, consistent with itself, and what its manifest says, out of core."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from kg.bundle import Bundle, intact
from kg.content import bundle_hash, content_hash, quoted
from kg.schema import NULLABLE, ORDER, TABLES
from kg.views import bundle_views
from kg.vocabulary import Category, Predicate

MEMORY = "800MB"
_SCOPES = ("exact", "narrow", "broad", "related")
_REASONS = ("ambiguous", "mixes categories", "more ids than the limit", "two live terms of one vocabulary")
_CURIE = r"^[A-Z][A-Z0-9_.-]*:[^\s]+$"
_TRIPLE_HASH = (
    "'S' || sha256(concat_ws(chr(9), subject, predicate, object, CASE WHEN negated THEN '1' ELSE '0' END))[:20]"
)
_BATCH = 131_072
_TABLES = tuple(TABLES)

Sql = duckdb.DuckDBPyConnection


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind of fault: in which table, what, how many rows, and one of them."""

    table: str
    what: str
    count: int
    example: str = ""


def validate(path: Path) -> list[Problem]:
    """Check a bundle.

    Checks files and content against the manifest's hashes; nulls; order; ids (unique, CURIEs, those of statements and
    evidence recomputed); categories, predicates, scopes and weights; that every reference leads to a row; that what
    statements sum up is what their evidence says; and cliques.

    Returns:
        Problems by table, empty for a sound bundle.

    Raises:
        InputError: where this is no bundle, a table's schema is not as it should be, or a table cannot be read.
    """
    bundle = Bundle.open(path)
    checks: tuple[Callable[[Sql], Iterator[Problem]], ...] = (
        _nulls,
        _doubled,
        _vocabulary,
        _identifiers,
        _references,
        _summaries,
        _cliques,
    )
    with bundle_views({"b": bundle}, memory=MEMORY) as sql:
        problems = [*_manifest(bundle), *_files(sql, bundle), *_order(bundle), *_numbers(bundle)]
        for check in checks:
            problems.extend(check(sql))
    return sorted(problems, key=lambda problem: (problem.table, problem.what))


def _found(sql: Sql, table: str, what: str, column: str, rows: str) -> Iterator[Problem]:
    """Report the rows of a query's FROM and WHERE, if there are any."""
    count, example = sql.execute(f"SELECT count(*), min({column}) FROM {rows}").fetchall()[0]
    if count:
        yield Problem(table, what, count, "" if example is None else str(example))


def _manifest(bundle: Bundle) -> Iterator[Problem]:
    if not intact(bundle.path, bundle.manifest):
        yield Problem("manifest", "a file is not byte for byte the one that was built", 1)
    hashes = {name: content_hash(bundle.files(name), TABLES[name]) for name in _TABLES}
    if bundle_hash(hashes) != bundle.hash:
        yield Problem("manifest", "hash is not that of the content", 1, bundle.hash)
    stated = bundle.manifest.get("tables")
    for name in _TABLES:
        info = stated.get(name) if isinstance(stated, dict) else None
        height = sum(pq.read_metadata(file).num_rows for file in bundle.files(name))
        if not isinstance(info, dict) or info.get("rows") != height:
            yield Problem(name, f"{height} rows, the manifest says otherwise", 1)
        elif info.get("sha256") != hashes[name]:
            yield Problem(name, "content is not that of the manifest", 1)


def _files(sql: Sql, bundle: Bundle) -> Iterator[Problem]:
    """Check that each file of statements holds its own relationship type, and that there are no others."""
    known = {one.relationship: one for one in Predicate}
    folder = bundle.path / "statements"
    strange = sorted(f.name for f in folder.iterdir() if f.stem not in known) if folder.is_dir() else []
    if strange:
        yield Problem("statements", "file of no relationship type", len(strange), strange[0])
    for file in bundle.files("statements"):
        rows = f"read_parquet({quoted([file])}) WHERE predicate <> '{known[file.stem].value}'"
        yield from _found(sql, "statements", f"predicate in the file of {file.stem}", "predicate", rows)


def _batches(files: list[Path], columns: list[str]) -> Iterator[pl.DataFrame]:
    """Give rows in their order, each batch beginning with the last row of the one before."""
    last: pl.DataFrame | None = None
    for file in files:
        with pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(_BATCH, columns=columns):
                frame = pl.DataFrame(pa.table(batch)).select(columns)
                if frame.height:
                    yield frame if last is None else pl.concat([last, frame])
                    last = frame.tail(1)


def _order(bundle: Bundle) -> Iterator[Problem]:
    for name, columns in ORDER.items():
        fallen = 0
        for frame in _batches(bundle.files(name), list(columns)):
            below, equal = pl.lit(False), pl.lit(True)
            for column in columns:
                before = pl.col(column).shift()
                below = below | (equal & (pl.col(column) < before))
                equal = equal & (pl.col(column) == before)
            fallen += int(frame.select(below.fill_null(False).sum()).item())
        if fallen:
            yield Problem(name, f"not sorted by {', '.join(columns)}", fallen)


def _numbers(bundle: Bundle) -> Iterator[Problem]:
    """Evidence is numbered from 1 within its statement, in the order of the rows, and has its source as caption."""
    wrong = {"id is not that of the statement with a number": 0, "caption is not source and version": 0}
    examples = dict.fromkeys(wrong, "")
    started = False
    number, run = 0, ""
    for frame in _batches(bundle.files("evidence"), ["statement", "id", "source", "version", "caption"]):
        rows = frame.slice(1) if started else frame
        started = True
        fresh = pl.col("statement").ne_missing(pl.col("statement").shift())
        counted = rows.with_columns(group=fresh.cum_sum()).with_columns(
            number=pl.int_range(1, pl.len() + 1).over("group")
        )
        goes_on = number if rows["statement"][0] == run else 0
        place = pl.when(pl.col("group") == pl.col("group").first()).then(pl.col("number") + goes_on).otherwise("number")
        version = pl.when(pl.col("version") == "").then(pl.lit("")).otherwise(pl.lit(" ") + pl.col("version"))
        expected = (
            pl.col("statement") + "." + place.cast(pl.String),
            pl.col("source") + version,
        )
        for what, column, right in zip(wrong, ("id", "caption"), expected, strict=True):
            bad = counted.filter((pl.col(column) != right).fill_null(False))
            if bad.height:
                wrong[what] += bad.height
                examples[what] = examples[what] or str(bad["id"][0])
        number, run = int(counted.select(place.last()).item()), str(rows["statement"][-1])
    for what, count in wrong.items():
        if count:
            yield Problem("evidence", what, count, examples[what])


def _nulls(sql: Sql) -> Iterator[Problem]:
    for name, schema in TABLES.items():
        columns = [column for column in schema if (name, column) not in NULLABLE]
        counts = ", ".join(f'count(*) - count("{column}")' for column in columns)
        row = sql.execute(f"SELECT {counts} FROM b.{name}").fetchall()[0]
        for column, count in zip(columns, row, strict=True):
            if count:
                yield Problem(name, f"column {column} is null", count)


def _doubled(sql: Sql) -> Iterator[Problem]:
    for name in ("concepts", "statements"):
        rows = f"(SELECT id FROM b.{name} GROUP BY id HAVING count(*) > 1)"
        yield from _found(sql, name, "id stands twice", "id", rows)
    for name in ("synonyms", "mappings", "rejects", "cliques"):
        first = next(iter(TABLES[name]))
        rows = f"(SELECT {first} FROM b.{name} GROUP BY {', '.join(TABLES[name])} HAVING count(*) > 1)"
        yield from _found(sql, name, "row stands twice", first, rows)


def _vocabulary(sql: Sql) -> Iterator[Problem]:
    for table, column, allowed in (
        ("concepts", "category", [c.value for c in Category]),
        ("statements", "predicate", [p.value for p in Predicate]),
        ("synonyms", "scope", _SCOPES),
        ("cliques", "reason", _REASONS),
    ):
        known = ", ".join(f"'{one}'" for one in allowed)
        yield from _found(sql, table, f"unknown {column}", column, f"b.{table} WHERE {column} NOT IN ({known})")
    for table in ("statements", "evidence"):
        yield from _found(sql, table, "weight outside 0 to 1", "weight", f"b.{table} WHERE NOT weight BETWEEN 0 AND 1")


def _identifiers(sql: Sql) -> Iterator[Problem]:
    strange = f"b.concepts WHERE NOT regexp_matches(id, '{_CURIE}')"
    yield from _found(sql, "concepts", "id is no CURIE", "id", strange)
    yield from _found(sql, "concepts", "name is empty", "id", "b.concepts WHERE name = ''")
    wrong = f"b.statements WHERE id <> {_TRIPLE_HASH}"
    yield from _found(sql, "statements", "id is not the hash of the triple", "id", wrong)
    wrong = f"b.evidence WHERE statement <> {_TRIPLE_HASH}"
    yield from _found(sql, "evidence", "triple is not that of the statement", "id", wrong)


def _references(sql: Sql) -> Iterator[Problem]:
    concept = "(SELECT 1 FROM b.concepts c WHERE c.id = t.{})"
    for column in ("subject", "object"):
        missing = f"b.statements t WHERE NOT EXISTS {concept.format(column)}"
        yield from _found(sql, "statements", f"{column} is no concept", column, missing)
    lost = f"b.synonyms t WHERE NOT EXISTS {concept.format('concept')}"
    yield from _found(sql, "synonyms", "concept is not there", "concept", lost)
    others = "(SELECT unnest(equivalents) AS id FROM b.concepts)"
    doubled = f"(SELECT id FROM {others} GROUP BY id HAVING count(*) > 1)"
    yield from _found(sql, "concepts", "equivalent of two concepts", "id", doubled)
    itself = f"{others} t WHERE EXISTS {concept.format('id')}"
    yield from _found(sql, "concepts", "equivalent is a concept of its own", "id", itself)


_SUMS = (
    ("statements", "statement without evidence", "id", "statement IS NULL"),
    ("evidence", "statement is not there", "statement", "id IS NULL"),
    *(
        ("statements", what, "id", f"id = statement AND {column}")
        for what, column in (
            ("weight is not the highest of its evidence", "weight"),
            ("sources are not those of its evidence", "sources"),
            ("publications are not those of its evidence", "publications"),
            ("checked is not that of its evidence", "checked"),
        )
    ),
)


def _summaries(sql: Sql) -> Iterator[Problem]:
    """Check what statements say of their evidence, one predicate after the other."""
    found: dict[tuple[str, str], list[tuple[int, str]]] = {}
    names = [row[0] for row in sql.execute("SELECT DISTINCT predicate FROM b.statements ORDER BY 1").fetchall()]
    names += [row[0] for row in sql.execute("SELECT DISTINCT predicate FROM b.evidence ORDER BY 1").fetchall()]
    for predicate in dict.fromkeys(names):
        sql.execute(
            """CREATE OR REPLACE TABLE both_sides AS
            SELECT s.id, e.statement, s.weight IS DISTINCT FROM e.weight AS weight,
                s.sources IS DISTINCT FROM e.sources AS sources, s.checked IS DISTINCT FROM e.checked AS checked,
                s.publications IS DISTINCT FROM e.publications AS publications
            FROM (SELECT * FROM b.statements WHERE predicate = $1) s FULL JOIN (
                SELECT statement, max(weight) AS weight, list_sort(list_distinct(list(source))) AS sources,
                    list_sort(list_distinct(flatten(list(publications)))) AS publications, bool_or(checked) AS checked
                FROM b.evidence WHERE predicate = $1 GROUP BY statement
            ) e ON e.statement = s.id""",
            [predicate],
        )
        for table, what, column, where in _SUMS:
            text = f"SELECT count(*), min({column}) FROM both_sides WHERE {where}"
            count, example = sql.execute(text).fetchall()[0]
            if count:
                found.setdefault((table, what), []).append((count, str(example)))
    for (table, what), parts in found.items():
        yield Problem(table, what, sum(count for count, _ in parts), parts[0][1])


def _cliques(sql: Sql) -> Iterator[Problem]:
    """Refused cliques are numbered from 1, each for one reason and with members that mappings name."""
    reasons = "(SELECT clique FROM b.cliques GROUP BY clique HAVING count(DISTINCT (reason, members)) > 1)"
    yield from _found(sql, "cliques", "clique with two reasons or lists of members", "clique", reasons)
    beyond = "b.cliques WHERE clique < 1 OR clique > (SELECT count(DISTINCT clique) FROM b.cliques)"
    yield from _found(sql, "cliques", "cliques are not numbered from 1", "clique", beyond)
    few = "b.cliques WHERE len(members) < 2 OR members <> list_sort(list_distinct(members))"
    yield from _found(sql, "cliques", "members are not sorted, or fewer than two", "clique", few)
    yield from _found(sql, "cliques", "mapping of an id to itself", "clique", "b.cliques WHERE subject = object")

"""``kg diff``: what changed between two bundles, out of core.

Rows are compared where their files differ: DuckDB joins them by id, one relationship type after the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb

from ehr.files import sha256_file
from kg.bundle import Bundle
from kg.content import quoted
from kg.readers.records import REPLACED_BY
from kg.schema import STATEMENTS
from kg.views import bundle_views, empty_table
from kg.vocabulary import Predicate

MEMORY = "800MB"
_TABLES = ("sources", "evidence", "concepts", "statements")
_KINDS = ("obsoleted", "merged", "split", "removed", "added", "changed")
"""In this order, so that what has to be looked at comes before what there is much of."""
_FIELDS = ("name", "category", "definition", "deprecated", "replaced_by", "xrefs", "equivalents", "sources")
_SUMMED = ("weight", "sources", "publications", "checked")
_TEXT = 120

Sql = duckdb.DuckDBPyConnection


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    Attributes:
        table: ``sources``, ``evidence``, ``concepts`` or ``statements``.
        kind: ``added``, ``removed`` or ``changed``; for a concept also ``obsoleted`` (it is deprecated now, or a former
            id of another), ``merged`` (its id is another one's equivalent now) and ``split`` (it was another one's
            equivalent).
        id: of the concept or statement; the name of the source (for ``evidence`` too, which is counted by source).
        source: the first source that has it (in the old bundle where it was removed).
        before, after: what it said; for statements the triple.
    """

    table: str
    kind: str
    id: str
    source: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class BundleDiff:
    """What changed, by table and kind, then by id.

    Attributes:
        same: nothing did.
        changes: at most as many as were asked for.
        counts: exact numbers by table, kind and source.
    """

    same: bool
    changes: tuple[Change, ...]
    counts: Mapping[tuple[str, str, str], int]

    @property
    def total(self) -> int:
        """Number of all changes, also of those that are not listed."""
        return sum(self.counts.values())

    def rows(self) -> list[dict[str, str]]:
        """Give one row a listed change."""
        return [asdict(change) for change in self.changes]

    def summary(self) -> list[dict[str, str | int]]:
        """Count the changes by table, kind and source."""
        ordered = sorted(self.counts.items(), key=lambda one: (*_place(*one[0][:2]), one[0][2]))
        return [{"table": t, "kind": k, "source": s, "count": n} for (t, k, s), n in ordered]


def _place(table: str, kind: str) -> tuple[int, int]:
    return _TABLES.index(table), _KINDS.index(kind)


def diff(old: Path, new: Path, *, limit: int | None = None) -> BundleDiff:
    """Compare two bundles by content.

    A statement counts as changed where its weight, sources, citations or evidence changed; its triple is its identity.
    A source's version is its own and no change of all that it says.

    Args:
        old: directory of the bundle as it was.
        new: directory of the bundle as it is.
        limit: changes listed at most (None: all, however much memory they take); numbers are exact all the same.

    Raises:
        InputError: where one of them is no bundle or cannot be read.
    """
    return _compare(Bundle.open(old), Bundle.open(new), limit, evidence=True)


def summarise(old: Bundle, new: Bundle) -> list[dict[str, str | int]]:
    """Count what changed by table, kind and source, cheaply: reasons for a statement are not compared one by one.

    Args:
        old: the bundle as it was.
        new: the bundle as it will be; it need not be committed yet.
    """
    return _compare(old, new, 0, evidence=False).summary()


def _compare(old: Bundle, new: Bundle, limit: int | None, *, evidence: bool) -> BundleDiff:
    changes = _source_changes(old, new)
    counts: dict[tuple[str, str, str], int] = {}
    hashes = [bundle.manifest.get("hash") for bundle in (old, new)]
    rows: list[Change] = []
    if hashes[0] is None or hashes[0] != hashes[1]:
        with bundle_views({"old": old, "new": new}, memory=MEMORY) as sql:
            changes += _evidence_counts(sql)
            _concept_delta(sql)
            _statement_delta(sql, old, new, evidence=evidence)
            for table in ("concepts", "statements"):
                found = sql.execute(f"SELECT kind, source, count(*) FROM {table}_delta GROUP BY ALL").fetchall()
                counts |= {(table, kind, source): number for kind, source, number in found}
            left = None if limit is None else max(limit - len(changes), 0)
            rows += _concept_rows(sql, left)
            rows += _statement_rows(sql, None if left is None else max(left - len(rows), 0))
    for change in changes:
        key = (change.table, change.kind, change.source)
        counts[key] = counts.get(key, 0) + 1
    ordered = sorted(changes, key=lambda c: (*_place(c.table, c.kind), c.id)) + rows
    return BundleDiff(not counts, tuple(ordered if limit is None else ordered[:limit]), counts)


def _source_changes(before: Bundle, after: Bundle) -> list[Change]:
    return list(_by_name("sources", _sources(before), _sources(after)))


def _by_name(table: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            kind = "added" if name not in old else "removed" if name not in new else "changed"
            yield Change(table, kind, name, name, old.get(name, ""), new.get(name, ""))


def _sources(bundle: Bundle) -> dict[str, str]:
    entries = bundle.manifest.get("sources")
    return {
        str(e["name"]): f"{e.get('version') or 'no version'}, sha256 {str(e.get('sha256'))[:12]}"
        for e in (entries if isinstance(entries, list) else [])
        if isinstance(e, dict) and e.get("status") == "loaded"
    }


def _evidence_counts(sql: Sql) -> list[Change]:
    text = "SELECT source, count(*) FROM {}.evidence GROUP BY 1"
    old, new = ({s: f"{n:,} rows" for s, n in sql.execute(text.format(b)).fetchall()} for b in ("old", "new"))
    return list(_by_name("evidence", old, new))


def _concept_delta(sql: Sql) -> None:
    """Make ``concepts_delta`` (id, kind, source, other): what became of each concept that is not as it was."""
    names = "concept, text, scope, kind"
    differs = " OR ".join(f"o.{field} IS DISTINCT FROM n.{field}" for field in _FIELDS)
    sql.execute(
        f"""CREATE TABLE renamed AS SELECT DISTINCT concept AS id FROM (
            (SELECT {names} FROM old.synonyms EXCEPT SELECT {names} FROM new.synonyms)
            UNION ALL (SELECT {names} FROM new.synonyms EXCEPT SELECT {names} FROM old.synonyms)
        );
        CREATE TABLE concepts_delta AS
        WITH was AS (SELECT unnest(equivalents) AS member, min(id) AS id FROM old.concepts GROUP BY 1),
        now AS (SELECT unnest(equivalents) AS member, min(id) AS id FROM new.concepts GROUP BY 1),
        former AS (SELECT subject, min(object) AS id FROM new.mappings WHERE predicate = '{REPLACED_BY}' GROUP BY 1)
        SELECT coalesce(n.id, o.id) AS id, CASE
            WHEN o.id IS NULL AND was.id IS NOT NULL THEN 'split'
            WHEN o.id IS NULL THEN 'added'
            WHEN n.id IS NULL AND now.id IS NOT NULL THEN 'merged'
            WHEN n.id IS NULL AND former.id IS NOT NULL THEN 'obsoleted'
            WHEN n.id IS NULL THEN 'removed'
            WHEN n.deprecated AND NOT o.deprecated THEN 'obsoleted'
            ELSE 'changed' END AS kind,
            CASE WHEN n.id IS NULL THEN o.source ELSE n.source END AS source,
            CASE WHEN o.id IS NULL THEN was.id WHEN n.id IS NULL THEN coalesce(now.id, former.id)
                ELSE coalesce(n.replaced_by, former.id) END AS other
        FROM old.concepts o FULL JOIN new.concepts n ON o.id = n.id
        LEFT JOIN was ON was.member = n.id LEFT JOIN now ON now.member = o.id LEFT JOIN former ON former.subject = o.id
        WHERE o.id IS NULL OR n.id IS NULL OR {differs} OR o.id IN (SELECT id FROM renamed)"""
    )


def _digest(bundle: Bundle, file: Path) -> str:
    """Give a file's hash, by the manifest where it has been committed."""
    files = bundle.manifest.get("files")
    known = files.get(file.relative_to(bundle.path).as_posix()) if isinstance(files, dict) else None
    return str(known) if known is not None else sha256_file(file)


def _statement_delta(sql: Sql, old: Bundle, new: Bundle, *, evidence: bool) -> None:
    """Make ``statements_delta`` (id, kind, source), one relationship type after the other."""
    sql.execute("CREATE TABLE statements_delta (id VARCHAR, kind VARCHAR, source VARCHAR)")
    files = [{file.stem: file for file in bundle.files("statements")} for bundle in (old, new)]
    told = [_digest(bundle, file) for bundle in (old, new) for file in bundle.files("evidence")]
    evidence = evidence and len(set(told)) > 1
    differs = " OR ".join(f"o.{field} IS DISTINCT FROM n.{field}" for field in _SUMMED)
    for predicate in Predicate:
        one, other = (part.get(predicate.relationship) for part in files)
        if one is None and other is None:
            continue
        equal = one is not None and other is not None and _digest(old, one) == _digest(new, other)
        if equal and not evidence:
            continue
        _reasons(sql, predicate, compare=evidence and one is not None and other is not None)
        rows = [
            f"read_parquet({quoted([file])})" if file is not None else f"({empty_table(STATEMENTS)})"
            for file in (one, other)
        ]
        sql.execute(
            f"""INSERT INTO statements_delta
            SELECT coalesce(n.id, o.id), CASE WHEN o.id IS NULL THEN 'added' WHEN n.id IS NULL THEN 'removed'
                ELSE 'changed' END, coalesce(CASE WHEN n.id IS NULL THEN o.sources[1] ELSE n.sources[1] END, '')
            FROM {rows[0]} o FULL JOIN {rows[1]} n ON o.id = n.id LEFT JOIN reasons r ON r.statement = o.id
            WHERE o.id IS NULL OR n.id IS NULL OR {differs} OR r.statement IS NOT NULL"""
        )


def _reasons(sql: Sql, predicate: Predicate, *, compare: bool) -> None:
    """Make ``reasons``: the statements of a predicate whose evidence differs, as multisets of rows."""
    row = "hash(source, publications, weight, frequency, checked, note)::HUGEINT"
    sides = " UNION ALL ".join(
        f"SELECT statement, {sign}{row} AS h FROM {bundle}.evidence WHERE predicate = '{predicate.value}'"
        for bundle, sign in (("old", "-"), ("new", ""))
    )
    filled = f"SELECT statement FROM ({sides}) GROUP BY statement HAVING sum(h) <> 0"
    sql.execute(
        f"CREATE OR REPLACE TABLE reasons AS {filled if compare else 'SELECT NULL::VARCHAR AS statement LIMIT 0'}"
    )


def _listed(sql: Sql, table: str, columns: str, limit: int | None) -> list[dict[str, object]]:
    """Give the first changes of a table with the rows of both bundles as structs ``o`` and ``n`` (None: no row)."""
    places = " ".join(f"WHEN '{kind}' THEN {place}" for place, kind in enumerate(_KINDS))
    order = f"CASE kind {places} END, id"
    most = limit if limit is not None else "ALL"
    sql.execute(f"CREATE OR REPLACE TABLE listed AS SELECT * FROM {table}_delta ORDER BY {order} LIMIT {most}")
    row = "CASE WHEN {0}.id IS NOT NULL THEN {0} END AS {0}"
    rows = sql.execute(
        f"""SELECT l.*, {columns}, {row.format("o")}, {row.format("n")}
        FROM listed l LEFT JOIN old.{table} o ON o.id = l.id LEFT JOIN new.{table} n ON n.id = l.id
        ORDER BY {order.replace("id", "l.id")}"""
    )
    names = [column[0] for column in rows.description or ()]
    return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]


def _concept_rows(sql: Sql, limit: int | None) -> list[Change]:
    if limit == 0:
        return []
    name = "coalesce((SELECT min(name) FROM {}.concepts c WHERE c.id = l.other), '')"
    rows = _listed(sql, "concepts", f"{name.format('old')} AS was, {name.format('new')} AS now", limit)
    synonyms = [_synonyms(sql, bundle) for bundle in ("old", "new")]
    changes = []
    for row in rows:
        identifier, kind, other = str(row["id"]), str(row["kind"]), row["other"]
        old, new = (_struct(row[side]) for side in ("o", "n"))
        before, after = str(old.get("name", "")), str(new.get("name", ""))
        if kind == "obsoleted":
            after = f"obsolete, replaced by {_titled(other, row['now'])}" if other else "obsolete"
        elif kind == "removed" and old["deprecated"]:
            before += " (obsolete)"
        elif kind == "merged":
            after = f"one with {_titled(other, row['now'])}"
        elif kind == "split":
            before = f"one with {_titled(other, row['was'])}"
        elif kind == "changed":
            old["synonyms"], new["synonyms"] = (part.get(identifier, []) for part in synonyms)
            before, after = _differences(old, new, (*_FIELDS, "synonyms"))
        changes.append(Change("concepts", kind, identifier, str(row["source"]), before, after))
    return changes


def _synonyms(sql: Sql, bundle: str) -> dict[str, list[str]]:
    written = "concat_ws(' | ', text, scope, nullif(kind, ''))"
    return dict(
        sql.execute(
            f"""SELECT concept, list_sort(list_distinct(list({written}))) FROM {bundle}.synonyms
            WHERE concept IN (SELECT id FROM listed WHERE kind = 'changed') GROUP BY 1"""
        ).fetchall()
    )


def _statement_rows(sql: Sql, limit: int | None) -> list[Change]:
    if limit == 0:
        return []
    count = "SELECT statement, count(*) FROM {}.evidence WHERE statement IN (SELECT id FROM listed) GROUP BY 1"
    rows = _listed(sql, "statements", "NULL", limit)
    reasons = [dict(sql.execute(count.format(bundle)).fetchall()) for bundle in ("old", "new")]
    changes = []
    for row in rows:
        identifier = str(row["id"])
        old, new = (_struct(row[side]) for side in ("o", "n"))
        before, after = (_triple(part) for part in (old, new))
        if row["kind"] == "changed":
            old["evidence"], new["evidence"] = (part.get(identifier, 0) for part in reasons)
            words = _differences(old, new, (*_SUMMED, "evidence"))
            before, after = (f"{before} ({word or 'other evidence'})" for word in words)
        changes.append(Change("statements", str(row["kind"]), identifier, str(row["source"]), before, after))
    return changes


def _struct(value: object) -> dict[str, object]:
    return dict(value) if isinstance(value, dict) else {}


def _triple(row: Mapping[str, object]) -> str:
    return f"{row['subject']} {'not ' if row['negated'] else ''}{row['predicate']} {row['object']}" if row else ""


def _titled(identifier: object, name: object) -> str:
    return f"{identifier} ({name})" if name and name != identifier else str(identifier)


def _differences(old: Mapping[str, object], new: Mapping[str, object], fields: Sequence[str]) -> tuple[str, str]:
    """Say in which fields two rows differ; of lists only what the other has not."""
    before, after = [], []
    for field in fields:
        a, b = old.get(field), new.get(field)
        if a == b:
            continue
        if isinstance(a, list) and isinstance(b, list):
            a, b = [one for one in a if one not in b], [one for one in b if one not in a]
        before.append(f"{field}: {_text(a)}")
        after.append(f"{field}: {_text(b)}")
    return "; ".join(before), "; ".join(after)


def _text(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
    return text if len(text) <= _TEXT else text[: _TEXT - 1] + "…"

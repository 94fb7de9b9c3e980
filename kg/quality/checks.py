"""The checks of a bundle that are queries: each gives what it found, worst first, and how many there are in all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import duckdb
import numpy as np
import polars as pl
import pyarrow.parquet as pq

from ehr.phenotypes import load_phenotypes
from kg.bundle import Bundle
from kg.quality.cycles import cycles_of
from kg.quality.types import (
    Count,
    Cycle,
    Dangling,
    Duplicate,
    ObsoleteInUse,
    PhenotypeLinks,
    RefusedClique,
    RefusedMapping,
    RejectReason,
    Singletons,
    SourceLicence,
)
from kg.vocabulary import Predicate

LIMIT = 20_000
"""Entries of one section that the report lists at most; how many there are is exact all the same."""
_EXAMPLES = 5

Sql = duckdb.DuckDBPyConnection


def plain(column: str) -> str:
    """Give SQL for a name as it is compared: lower case, without accents, words with single blanks between them."""
    return rf"trim(regexp_replace(lower(strip_accents({column})), '[^\pL\pN]+', ' ', 'g'))"


def prepare(sql: Sql) -> None:
    """Make the table ``degree``: in how many statements each id stands."""
    sql.execute(
        """CREATE TABLE degree AS SELECT id, sum(n)::BIGINT AS statements FROM (
            SELECT subject AS id, count(*) AS n FROM b.statements GROUP BY 1
            UNION ALL SELECT object, count(*) FROM b.statements GROUP BY 1
        ) GROUP BY id"""
    )


def rows_of(bundle: Bundle, name: str) -> int:
    """Count the rows of a table, as its files say."""
    return sum(int(pq.read_metadata(file).num_rows) for file in bundle.files(name))


def _one(sql: Sql, text: str) -> int:
    found = sql.execute(text).fetchone()
    return int(found[0]) if found is not None and found[0] is not None else 0


def counts(sql: Sql) -> tuple[Count, ...]:
    """Count concepts by source and category, statements by source and predicate."""
    rows = sql.execute(
        """SELECT 'concepts', source, category, count(*) FROM b.concepts GROUP BY ALL
        UNION ALL SELECT 'statements', source, predicate, sum(n)::BIGINT FROM (
            SELECT unnest(sources) AS source, predicate, n FROM (
                SELECT sources, predicate, count(*) AS n FROM b.statements GROUP BY ALL
            )
        ) GROUP BY ALL ORDER BY 1, 2, 3"""
    ).fetchall()
    return tuple(Count(*row) for row in rows)


def rejects(sql: Sql) -> tuple[RejectReason, ...]:
    """Group what was left out by source and reason; values that a reason quotes do not tell reasons apart."""
    rows = sql.execute(
        rf"""SELECT source, regexp_replace(reason, '''[^'']*''', '''…''', 'g') AS why, count(*) AS n,
            arg_min(record, coalesce(try_cast(regexp_extract(record, '\d+') AS BIGINT), 0), {_EXAMPLES})
        FROM b.rejects GROUP BY ALL ORDER BY n DESC, source, why LIMIT {LIMIT}"""
    ).fetchall()
    return tuple(RejectReason(source, why, n, tuple(examples)) for source, why, n, examples in rows)


def dangling(sql: Sql) -> tuple[tuple[Dangling, ...], int]:
    """List concepts that no source declares, those of most statements first."""
    rows = sql.execute(
        f"""SELECT c.id, c.category, c.source, coalesce(d.statements, 0) AS n
        FROM b.concepts c LEFT JOIN degree d USING (id) WHERE len(c.sources) = 0 ORDER BY n DESC, c.id LIMIT {LIMIT}"""
    ).fetchall()
    return tuple(Dangling(*row) for row in rows), _one(sql, "SELECT count(*) FROM b.concepts WHERE len(sources) = 0")


def duplicates(sql: Sql) -> tuple[tuple[Duplicate, ...], int]:
    """List live concepts of one name and category that are not one concept, the largest groups first."""
    group = f"""SELECT min(name) AS name, category, list_sort(list(id)) AS ids
        FROM (SELECT id, name, category, {plain("name")} AS key FROM b.concepts WHERE NOT deprecated AND name <> id)
        WHERE key <> '' GROUP BY key, category HAVING count(*) > 1"""
    rows = sql.execute(f"{group} ORDER BY len(ids) DESC, name, category, ids[1] LIMIT {LIMIT}").fetchall()
    found = tuple(Duplicate(name, category, tuple(ids)) for name, category, ids in rows)
    return found, _one(sql, f"SELECT count(*) FROM ({group})")


def singletons(sql: Sql) -> tuple[tuple[Singletons, ...], int]:
    """Group the live concepts without a statement by source and category."""
    alone = "b.concepts c WHERE NOT deprecated AND NOT EXISTS (SELECT 1 FROM degree d WHERE d.id = c.id)"
    groups = sql.execute(f"SELECT source, category, count(*) AS n FROM {alone} GROUP BY ALL ORDER BY n DESC, 1, 2")
    counted = groups.fetchall()
    ids: dict[tuple[str, str], list[str]] = {}
    first = sql.execute(f"SELECT source, category, id FROM {alone} ORDER BY id LIMIT {LIMIT}")
    for source, category, identifier in first.fetchall():
        ids.setdefault((source, category), []).append(identifier)
    found = tuple(Singletons(s, c, n, tuple(ids.get((s, c), ()))) for s, c, n in counted)
    return found, sum(one.count for one in found)


def cycles(sql: Sql) -> tuple[tuple[Cycle, ...], int]:
    """Find concepts that are a kind of themselves, the largest knots first."""
    kind_of = f"predicate = '{Predicate.SUBCLASS_OF.value}' AND NOT negated"
    edges = pl.DataFrame(sql.sql(f"SELECT subject, object FROM b.statements WHERE {kind_of}").to_arrow_table())
    ids = pl.concat([edges["subject"], edges["object"]]).unique().sort()
    places = pl.DataFrame({"id": ids}).with_row_index("n")
    numbered = np.stack(
        [
            edges.select(id=end).join(places, on="id", how="left", maintain_order="left")["n"].to_numpy()
            for end in ("subject", "object")
        ],
        axis=1,
    ).astype(np.int64)
    found: list[tuple[list[str], list[str]]] = []
    total = 0
    for nodes, way in cycles_of(numbered, len(ids)):
        total += 1
        if total <= LIMIT:
            found.append(([ids[n] for n in nodes[:LIMIT]], [ids[n] for n in way]))
    names = names_of(sql, {one for _, way in found for one in way})
    return (
        tuple(Cycle(len(i), tuple(i), tuple(way), tuple(names.get(one, one) for one in way)) for i, way in found),
        total,
    )


def names_of(sql: Sql, ids: Iterable[str]) -> dict[str, str]:
    """Give the names of some concepts."""
    wanted = pl.DataFrame({"id": sorted(set(ids))}, schema={"id": pl.String})
    if not wanted.height:
        return {}
    sql.register("wanted", wanted.to_arrow())
    found = sql.execute("SELECT id, name FROM b.concepts SEMI JOIN wanted USING (id)").fetchall()
    sql.unregister("wanted")
    return {str(identifier): str(name) for identifier, name in found}


def obsolete(sql: Sql) -> tuple[tuple[ObsoleteInUse, ...], int]:
    """List obsolete concepts that statements name, those of most statements first."""
    rows = sql.execute(
        f"""SELECT c.id, c.name, c.source, d.statements, coalesce(c.replaced_by, ''), coalesce(r.name, '')
        FROM b.concepts c JOIN degree d USING (id) LEFT JOIN b.concepts r ON r.id = c.replaced_by
        WHERE c.deprecated ORDER BY d.statements DESC, c.id LIMIT {LIMIT}"""
    ).fetchall()
    total = _one(sql, "SELECT count(*) FROM b.concepts c JOIN degree d USING (id) WHERE c.deprecated")
    return tuple(ObsoleteInUse(*row) for row in rows), total


def cliques(sql: Sql) -> tuple[tuple[RefusedClique, ...], dict[str, int]]:
    """List what was not merged though mappings say so, with names, in the order of reasons; and count by reason."""
    rows = sql.execute(
        f"""SELECT clique, reason, q.members, q.subject, coalesce(s.name, ''), q.predicate, q.object,
            coalesce(o.name, ''), q.source
        FROM b.cliques q LEFT JOIN b.concepts s ON s.id = q.subject LEFT JOIN b.concepts o ON o.id = q.object
        WHERE clique IN (SELECT DISTINCT clique FROM b.cliques ORDER BY clique LIMIT {LIMIT})
        ORDER BY reason, clique, q.subject, q.object"""
    ).fetchall()
    groups: dict[tuple[str, int], tuple[tuple[str, ...], list[RefusedMapping]]] = {}
    for number, reason, members, *mapping in rows:
        groups.setdefault((reason, number), (tuple(members), []))[1].append(RefusedMapping(*mapping))
    found = tuple(RefusedClique(n, reason, m, tuple(maps)) for (reason, n), (m, maps) in groups.items())
    return found, dict(sql.execute("SELECT reason, count(DISTINCT clique) FROM b.cliques GROUP BY 1").fetchall())


def phenotypes(sql: Sql) -> tuple[PhenotypeLinks, ...]:
    """Say of each phenotype of the label set how it is linked."""
    labels = load_phenotypes()
    names = [(one.id, text) for one in labels for text in {one.name, one.short, one.ccs_name}]
    sql.register("label_names", pl.DataFrame(names, schema=["id", "text"], orient="row").to_arrow())
    sql.execute(
        f"""CREATE TABLE label_keys AS SELECT DISTINCT id, {plain("text")} AS key FROM label_names;
        CREATE TABLE about AS SELECT subject, predicate, object FROM b.statements
        WHERE NOT negated AND (subject IN (SELECT id FROM label_keys) OR object IN (SELECT id FROM label_keys))"""
    )
    sql.unregister("label_names")
    present = dict(sql.execute("SELECT id, equivalents FROM b.concepts SEMI JOIN label_keys USING (id)").fetchall())
    relations: dict[str, int] = {}
    codes: dict[str, int] = {}
    matches: dict[str, set[str]] = {key: set(others) for key, others in present.items()}
    for subject, predicate, object_ in sql.execute("SELECT * FROM about").fetchall():
        for one, other in ((subject, object_), (object_, subject)):
            if predicate == Predicate.CLOSE_MATCH.value:
                matches.setdefault(one, set()).add(other)
            elif predicate == Predicate.SUBCLASS_OF.value:
                codes[one] = codes.get(one, 0) + (one == object_ and other.startswith(("ICD10CM:", "ICD9CM:")))
            else:
                relations[one] = relations.get(one, 0) + 1
    for one, other in sql.execute(
        f"""SELECT k.id, n.id FROM label_keys k JOIN (
            SELECT id, {plain("name")} AS key FROM b.concepts
            UNION ALL SELECT concept, {plain("text")} FROM b.synonyms WHERE scope = 'exact'
        ) n USING (key) JOIN b.concepts c ON c.id = n.id WHERE k.id <> n.id AND NOT c.deprecated"""
    ).fetchall():
        matches.setdefault(one, set()).add(other)
    return tuple(
        PhenotypeLinks(
            label.id,
            label.name,
            label.id in present,
            relations.get(label.id, 0),
            codes.get(label.id, 0),
            tuple(sorted(matches.get(label.id, ()))),
        )
        for label in labels
    )


def licences(manifest: Mapping[str, object]) -> tuple[SourceLicence, ...]:
    """List the sources of a recipe as the manifest has them, those that were not loaded first."""
    entries = manifest.get("sources")
    found = [
        SourceLicence(
            source=str(one.get("name", "")),
            status=str(one.get("status", "loaded")),
            version=str(one.get("version") or ""),
            licence=str(one.get("licence") or ""),
            open=bool(one.get("open", False)),
            reason=str(one.get("reason") or ""),
        )
        for one in (entries if isinstance(entries, Sequence) and not isinstance(entries, str) else [])
        if isinstance(one, Mapping)
    ]
    return tuple(sorted(found, key=lambda one: one.status == "loaded"))

"""The part of a bundle around one concept: what is reached from it in a number of steps, in whatever direction."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl

from ehr.errors import InputError
from ehr.progress import say
from kg.bundle import Bundle
from kg.content import quoted
from kg.export.derived import finish, show_tables, write_facts, write_table
from kg.export.lines import workbench
from kg.readers.curies import normalise

_MANY = 5_000_000


def neighbourhood(bundle: Bundle, place: Path, *, centre: str, hops: int, limit: int | None) -> Bundle:
    """Write the part of a bundle around a concept into ``place``, an empty directory.

    Args:
        bundle: to cut from.
        place: where the part is written as a bundle.
        centre: id of a concept, or another id of it.
        hops: relations between the centre and the farthest concept at most.
        limit: concepts at most; those in fewer steps come first, then those with stronger relations.

    Raises:
        InputError: where the bundle has no such concept.
    """
    folder = place / "tables"
    folder.mkdir()
    with workbench(place) as connection:
        show_tables(connection, bundle)
        found = _find(connection, bundle, centre)
        chosen = _chosen(connection, bundle, found, hops, limit)
        ends = pl.Series(chosen, dtype=pl.String).implode()
        write_facts(bundle, folder, pl.col("subject").is_in(ends) & pl.col("object").is_in(ends))
        write_table(connection, folder, "concepts", "SELECT * FROM concepts SEMI JOIN reached USING (id)")
        there = "IN (SELECT id FROM reached)"
        write_table(connection, folder, "synonyms", f"SELECT * FROM synonyms WHERE concept {there}")
        write_table(connection, folder, "mappings", f"SELECT * FROM mappings WHERE subject {there} OR object {there}")
    said = {"sources": bundle.manifest.get("sources", []), "centre": found, "hops": hops}
    return finish(bundle, place, folder, said)


def _find(connection: duckdb.DuckDBPyConnection, bundle: Bundle, centre: str) -> str:
    text = "SELECT id FROM concepts WHERE id = $1 OR list_contains(equivalents, $1) ORDER BY id <> $1 LIMIT 1"
    row = connection.execute(text, [bundle.current(normalise(centre))]).fetchone()
    if row is None:
        raise InputError(
            f"no concept {centre[:60]!r}", where=bundle.path, remedy="`kg search WORDS` finds ids by words of a name"
        )
    return str(row[0])


def _chosen(
    connection: duckdb.DuckDBPyConnection, bundle: Bundle, centre: str, hops: int, limit: int | None
) -> list[str]:
    """Make table ``reached`` (id, hop), and give its ids."""
    connection.execute("CREATE TABLE reached AS SELECT $1::VARCHAR AS id, 0 AS hop", [centre])
    most = _MANY if limit is None else limit
    files = bundle.files("statements")
    held, cut = 1, False
    for hop in range(1, hops + 1 if files else 1):
        said = f"(SELECT subject, object, weight FROM read_parquet({quoted(files)}) WHERE NOT negated) s"
        edge = f"SEMI JOIN reached r ON r.hop = {hop - 1} AND r.id ="
        # One more than may stay, so that it shows whether any had to go.
        connection.execute(
            f"""CREATE OR REPLACE TABLE step AS SELECT id, max(weight) AS weight FROM (
                SELECT object AS id, weight FROM {said} {edge} s.subject
                UNION ALL SELECT subject, weight FROM {said} {edge} s.object
            ) ANTI JOIN reached USING (id) GROUP BY id ORDER BY weight DESC, id LIMIT {most - held + 1}"""
        )
        connection.execute(
            f"INSERT INTO reached SELECT id, {hop} FROM step ORDER BY weight DESC, id LIMIT {most - held}"
        )
        new = _count(connection, "step")
        cut = cut or new > most - held
        held = _count(connection, "reached")
        if not new or held >= most:
            break
    if cut:
        say(f"more than {most:,} concepts lie within {hops} steps of {centre}; the nearest {most:,} are taken")
    return [str(one) for (one,) in connection.execute("SELECT id FROM reached").fetchall()]


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(row[0]) if row is not None else 0

"""The part of a bundle that may be passed on: what sources with an open licence say.

- Evidence of closed sources goes, and statements that are left without any; weights, sources and publications are
  summed up anew of what is left.
- Names, definitions, synonyms and mappings of closed sources go. A concept keeps its id; where its name came from a
  closed source, it takes the label of the first open source that gave one, else its id.
- Other ids of a concept stay where open mappings alone lead from them to it, cross-references where an open mapping
  states them or where only open sources speak of the concept.
- Concepts that no open source declares and no open statement needs go.

A concept keeps its category and whether it is deprecated, whoever said so, and open statements stay with the concept
that they were merged into, also where a closed mapping led there: these are the traces that closed sources leave.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl

from ehr.errors import InputError
from kg.bundle import Bundle
from kg.export.derived import finish, show_ends, show_tables, write_facts, write_table
from kg.export.licences import Terms, terms_of
from kg.export.lines import one_of, quoted_sql, workbench
from kg.readers.records import REPLACED_BY


def open_part(bundle: Bundle, place: Path) -> Bundle:
    """Write the open part of a bundle into ``place``, an empty directory.

    Raises:
        InputError: where no source of the bundle is open.
    """
    terms = [one for one in terms_of(bundle.manifest) if one.open]
    if not terms:
        raise InputError(
            "no source of this bundle says that its content may be passed on",
            where=bundle.path,
            remedy="export with --licence any for yourself, or build from sources with an open licence "
            "(`kg sources`; ?open=true names one of your own)",
        )
    names = _in_order(bundle, terms)
    folder = place / "tables"
    folder.mkdir()
    write_facts(bundle, folder, pl.col("source").is_in(names))
    with workbench(place) as connection:
        _Part(connection, bundle, names).write(folder)
    sources = bundle.manifest.get("sources")
    kept = [one for one in (sources if isinstance(sources, list) else []) if _name(one) in set(names)]
    return finish(bundle, place, folder, {"sources": kept, "licence": "open"})


def _name(entry: object) -> str:
    loaded = isinstance(entry, dict) and entry.get("status", "loaded") == "loaded"
    return str(entry.get("name", "")) if loaded and isinstance(entry, dict) else ""


def _in_order(bundle: Bundle, terms: list[Terms]) -> list[str]:
    """Give names of sources by precedence: in the order in which they were read."""
    entries = bundle.manifest.get("sources")
    places = [_name(one) for one in entries] if isinstance(entries, list) else []
    return sorted((one.name for one in terms), key=places.index)


class _Part:
    def __init__(self, connection: duckdb.DuckDBPyConnection, bundle: Bundle, names: list[str]) -> None:
        self.sql, self.bundle, self.names = connection, bundle, names
        self.open = one_of(names)

    def write(self, folder: Path) -> None:
        """Write concepts, synonyms and mappings beside the statements and evidence of ``folder``."""
        show_tables(self.sql, self.bundle)
        show_ends(self.sql, folder)
        ranks = ", ".join(f"({rank}, {quoted_sql(name)})" for rank, name in enumerate(self.names))
        self.sql.execute(f"CREATE TABLE ranks AS SELECT * FROM (VALUES {ranks}) t(rank, source)")
        self.sql.execute(
            f"""CREATE TABLE kept AS
            SELECT c.*, list_filter(c.sources, lambda s: s IN {self.open}) AS open_sources, e.source AS needed_by
            FROM concepts c LEFT JOIN ends e ON e.id = c.id
            WHERE len(list_filter(c.sources, lambda s: s IN {self.open})) > 0 OR e.id IS NOT NULL"""
        )
        self.sql.execute(
            """CREATE TABLE label AS SELECT DISTINCT ON (s.concept) s.concept, s.text, s.source
            FROM synonyms s JOIN ranks r ON r.source = s.source
            WHERE s.kind = 'label' AND s.text <> '' ORDER BY s.concept, r.rank, s.text"""
        )
        self.sql.execute(f"CREATE VIEW open_mappings AS SELECT * FROM mappings WHERE source IN {self.open}")
        self._members()
        self._concepts()
        write_table(self.sql, folder, "concepts", "SELECT * FROM open_concepts")
        write_table(
            self.sql,
            folder,
            "synonyms",
            f"""SELECT s.* FROM synonyms s JOIN open_concepts c ON c.id = s.concept
            WHERE s.source IN {self.open} AND NOT (s.kind = 'label' AND s.text = c.name)""",
        )
        write_table(self.sql, folder, "mappings", "SELECT * FROM open_mappings")

    def _members(self) -> None:
        """Make tables ``same`` (ids that open mappings join with a concept) and ``attested`` (what they refer to)."""
        self.sql.execute(
            """CREATE TABLE member AS SELECT id AS concept, id FROM kept
            UNION ALL SELECT id, unnest(equivalents) FROM kept"""
        )
        self.sql.execute(
            """CREATE TABLE edge AS
            SELECT a.concept, m.subject AS one, m.object AS other FROM open_mappings m
            JOIN member a ON a.id = m.subject JOIN member b ON b.id = m.object AND b.concept = a.concept
            WHERE m.subject <> m.object"""
        )
        self.sql.execute(
            """CREATE TABLE same AS
            WITH RECURSIVE reached(concept, id) AS (
                SELECT DISTINCT concept, concept FROM edge
                UNION
                SELECT r.concept, e.found FROM reached r JOIN (
                    SELECT concept, one, other AS found FROM edge UNION ALL SELECT concept, other, one FROM edge
                ) e ON e.concept = r.concept AND e.one = r.id
            )
            SELECT concept, list_sort(list(id)) AS ids FROM reached WHERE id <> concept GROUP BY concept"""
        )
        self.sql.execute(
            "CREATE TABLE joined AS SELECT id AS concept, id FROM kept UNION ALL SELECT concept, unnest(ids) FROM same"
        )
        self.sql.execute(
            f"""CREATE TABLE attested AS SELECT concept, list(DISTINCT other) AS ids,
                list(DISTINCT other) FILTER (predicate = '{REPLACED_BY}') AS successors
            FROM (
                SELECT a.concept, m.object AS other, m.predicate FROM open_mappings m JOIN joined a ON a.id = m.subject
                UNION ALL
                SELECT a.concept, m.subject, '' FROM open_mappings m JOIN joined a ON a.id = m.object
            ) GROUP BY concept"""
        )

    def _concepts(self) -> None:
        self.sql.execute(
            f"""CREATE TABLE open_concepts AS
            SELECT k.id, k.category,
                CASE WHEN k.source IN {self.open} THEN k.name ELSE coalesce(l.text, k.id) END AS name,
                CASE WHEN k.definition_source IN {self.open} THEN k.definition ELSE '' END AS definition,
                CASE WHEN k.source IN {self.open} THEN k.source
                    ELSE coalesce(l.source, k.open_sources[1], k.needed_by) END AS source,
                k.deprecated,
                CASE WHEN len(k.open_sources) = len(k.sources) OR list_contains(a.successors, k.replaced_by)
                    THEN k.replaced_by END AS replaced_by,
                CASE WHEN len(k.open_sources) = len(k.sources) THEN k.xrefs
                    ELSE list_filter(k.xrefs, lambda x: coalesce(list_contains(a.ids, x), false)) END AS xrefs,
                coalesce(s.ids, CAST([] AS VARCHAR[])) AS equivalents,
                k.open_sources AS sources,
                CASE WHEN k.definition_source IN {self.open} THEN k.definition_source ELSE '' END AS definition_source
            FROM kept k
            LEFT JOIN label l ON l.concept = k.id
            LEFT JOIN same s ON s.concept = k.id
            LEFT JOIN attested a ON a.concept = k.id"""
        )

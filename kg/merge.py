"""Makes one graph of what several sources said, out of core: the rows stay on disk, DuckDB sorts and joins them.

- A concept that several sources declare is one row: the first source that names it gives name, category and
  definition, other names become synonyms, gaps are filled, cross-references united.
- Ids of one clique (`kg.cliques`) are one concept, which keeps the other ids.
- Former ids (``alt_id``, obsolete with a successor) are replaced by the current one in statements; the evidence keeps
  the ids as written.
- A statement that several sources make is one row with the evidence of each; equal evidence counts once.
- Ends that no source declares become minimal concepts (name = id, category by prefix) and are reported as dangling.
- Further names of a concept that nobody declares, and statements of a concept about itself, are rejected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from kg.cliques import MergeSettings, find_cliques
from kg.collect import PARTS, Collected, parts_of
from kg.content import quoted
from kg.duck import connect
from kg.readers.curies import category_of
from kg.readers.records import REPLACED_BY
from kg.schema import CONCEPTS, FACTS, ORDER, Schema, shaped
from kg.sorted_facts import FactWriter
from kg.vocabulary import Category, Predicate

MEMORY = "600MB"
"""What DuckDB may hold before it goes to disk."""

_ROOTS = {"HP:": "HP:0000118"}
"""Below a vocabulary's root its terms keep their category; beside it (modes of inheritance …) they are `OTHER`."""

SYMMETRIC = (Predicate.DIFFERENTIAL_WITH, Predicate.SIMILAR_TO, Predicate.INTERACTS_WITH, Predicate.ASSOCIATED_WITH)
"""Predicates that read both ways; their statements are kept with the smaller id first."""

_BATCH = 131_072


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge wrote.

    Attributes:
        rows: by table.
        dangling: ids that statements name and no source declares.
        cliques: number of cliques of more than one declared concept.
    """

    rows: dict[str, int]
    dangling: tuple[str, ...]
    cliques: int


def merge(
    collected: Sequence[Collected],
    folder: Path,
    *,
    workplace: Path,
    settings: MergeSettings | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Merged:
    """Merge sources, the first ones taking precedence for names and categories, and write the tables.

    Args:
        collected: what the sources said.
        folder: where the tables are written.
        workplace: for what does not fit into memory.
        settings: of cliques.
        advance: called with the number of statements written.
    """
    connection = connect(MEMORY, workplace)
    try:
        return _Merge(connection, collected, folder, settings or MergeSettings()).run(advance)
    finally:
        connection.close()


class _Merge:
    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        collected: Sequence[Collected],
        folder: Path,
        settings: MergeSettings,
    ) -> None:
        self.sql, self.collected, self.folder, self.settings = connection, collected, folder, settings
        self.rows: dict[str, int] = {}

    def run(self, advance: Callable[[int], None]) -> Merged:
        for kind, schema in PARTS.items():
            self._view(kind, schema)
        names = self._rename()
        self._facts()
        concepts, dangling = self._concepts(names)
        self._write_frame("concepts", concepts)
        self._synonyms()
        self._mappings()
        writer = FactWriter(self.folder)
        for batch in self._sorted_facts():
            advance(writer.add(batch))
        self.rows |= writer.close()
        self._rejects()
        return Merged(self.rows, dangling, self.joined)

    def _view(self, kind: str, schema: Schema) -> None:
        """Show the parts of all sources as one table."""
        paths = parts_of(self.collected, kind)
        if paths:
            self.sql.execute(f"CREATE VIEW part_{kind} AS SELECT * FROM read_parquet({quoted(paths)})")
        else:
            self.sql.register("none", pl.DataFrame(schema={**schema, "rank": pl.Int32}).to_arrow())
            self.sql.execute(f"CREATE TABLE part_{kind} AS SELECT * FROM none")
            self.sql.unregister("none")

    def _frame(self, text: str, values: list[object] | None = None) -> pl.DataFrame:
        return pl.DataFrame(self.sql.sql(text, params=values or None).to_arrow_table())

    def _table(self, name: str, frame: pl.DataFrame) -> None:
        self.sql.register("given", frame.to_arrow())
        self.sql.execute(f"CREATE TABLE {name} AS SELECT * FROM given")
        self.sql.unregister("given")

    def _rename(self) -> dict[str, tuple[str, ...]]:
        """Make table ``rename`` (id, now, member) of former ids and members of cliques.

        Returns:
            The members of cliques by canonical id.
        """
        live = self._frame(
            "SELECT id, arg_min(category, rank) AS category FROM part_concepts WHERE NOT deprecated GROUP BY id"
        )
        declared = dict(live.iter_rows())
        current = self._successors(set(declared))
        mappings = self._frame(
            "SELECT DISTINCT subject, predicate, object, source FROM part_mappings WHERE predicate <> $1", [REPLACED_BY]
        ).with_columns(pl.col("subject", "object").replace(current))
        cliques = find_cliques(mappings, declared, self.settings)
        current = {former: cliques.leader.get(now, now) for former, now in current.items()} | cliques.leader
        rename = pl.DataFrame(
            {"id": list(current), "now": list(current.values()), "member": [one in cliques.leader for one in current]},
            schema={"id": pl.String, "now": pl.String, "member": pl.Boolean},
        )
        self._table("rename", rename)
        self._write_frame("cliques", cliques.refused)
        self.joined = sum(any(other in declared for other in members) for members in cliques.members.values())
        self.renames = rename.height > 0
        return cliques.members

    def _successors(self, live: set[str]) -> dict[str, str]:
        """Map each former id to the current one, through chains; ids in use themselves map to nothing."""
        replaced = self._frame(
            "SELECT DISTINCT subject, object FROM part_mappings WHERE predicate = $1 "
            "ORDER BY subject DESC, object DESC",
            [REPLACED_BY],
        )
        step = dict(replaced.iter_rows())
        said = self._frame(
            "SELECT id, arg_min(replaced_by, rank) AS now FROM part_concepts WHERE replaced_by IS NOT NULL GROUP BY id "
            "ORDER BY id"
        )
        step |= dict(said.iter_rows())
        ends: dict[str, str] = {}
        for former in step:
            chain: dict[str, None] = {}
            end: str = former
            while end in step and end not in live and end not in ends and end not in chain:
                chain[end] = None
                end = step[end]
            # What a chain before has found is not walked again; a circle leads nowhere.
            found = "" if end in chain else ends.get(end, end)
            ends.update((one, found) for one in chain)
        return {former: ends[former] for former in step if ends.get(former) in live}

    def _facts(self) -> None:
        """Show facts with current ids, symmetric ones turned so that the smaller id comes first."""
        written = ", ".join(f"f.{name}" for name in FACTS if name not in ("subject", "predicate", "object", "negated"))
        if self.renames:
            ends = "coalesce(a.now, f.subject) AS s, coalesce(b.now, f.object) AS o"
            joins = "LEFT JOIN rename a ON a.id = f.subject LEFT JOIN rename b ON b.id = f.object"
        else:
            ends, joins = "f.subject AS s, f.object AS o", ""
        both = ", ".join(f"'{one.value}'" for one in SYMMETRIC)
        self.sql.execute(
            f"""CREATE VIEW facts AS SELECT
                CASE WHEN predicate IN ({both}) AND s > o THEN o ELSE s END AS subject, predicate,
                CASE WHEN predicate IN ({both}) AND s > o THEN s ELSE o END AS object, negated,
                s = o AS looped, * EXCLUDE (s, o, predicate, negated)
            FROM (SELECT {ends}, f.predicate, f.negated, {written} FROM part_facts f {joins})"""
        )

    def _sorted_facts(self) -> Iterator[pl.DataFrame]:
        """Give the facts in the order of the bundle, each with the id of its statement."""
        written = ", ".join(name for name in FACTS if name not in ("subject", "predicate", "object", "negated"))
        order = (
            "predicate, subject, object, negated, source, version, subject_as_written, object_as_written, frequency, "
            "note, array_to_string(publications, ';'), weight, checked NULLS LAST"
        )
        hashed = "concat_ws(chr(9), subject, predicate, object, CASE WHEN negated THEN '1' ELSE '0' END)"
        reader = self.sql.sql(
            f"""SELECT 'S' || sha256({hashed})[:20] AS statement, *
            FROM (SELECT subject, predicate, object, negated, {written} FROM facts WHERE NOT looped ORDER BY {order})"""
        ).to_arrow_reader(_BATCH)
        for batch in reader:
            if batch.num_rows:
                yield pl.DataFrame(batch)

    def _concepts(self, members: dict[str, tuple[str, ...]]) -> tuple[pl.DataFrame, tuple[str, ...]]:
        """Give one row a canonical id, and the ids that only statements name; keeps the names that became synonyms."""
        other = Category.OTHER.value
        self.sql.execute(
            f"""CREATE TABLE declared AS
            SELECT coalesce(r.now, c.id) AS id, row_number() OVER (
                ORDER BY coalesce(r.now, c.id), r.now IS NOT NULL, c.category = '{other}' AND c.name = '', c.rank, c.n
            ) AS place, c.* EXCLUDE (id, rank, n)
            FROM (SELECT *, row_number() OVER () AS n FROM part_concepts) c
            LEFT JOIN rename r ON r.id = c.id AND r.member"""
        )
        concepts = self._frame(
            f"""SELECT id,
                coalesce(arg_min(category, place) FILTER (category <> '{other}'), '{other}') AS category,
                coalesce(arg_min(name, place) FILTER (name <> ''), id) AS name,
                coalesce(arg_min(definition, place) FILTER (definition <> ''), '') AS definition,
                coalesce(arg_min(source, place) FILTER (name <> ''), arg_min(source, place)) AS source,
                bool_and(deprecated) AS deprecated,
                arg_min(replaced_by, place) FILTER (replaced_by IS NOT NULL) AS replaced_by,
                list_sort(list_distinct(flatten(list(xrefs)))) AS xrefs,
                list_sort(list_distinct(list(source))) AS sources,
                coalesce(arg_min(source, place) FILTER (definition <> ''), '') AS definition_source
            FROM declared GROUP BY id"""
        )
        others = pl.DataFrame(
            {"id": list(members), "equivalents": [list(one) for one in members.values()]},
            schema={"id": pl.String, "equivalents": pl.List(pl.String)},
        )
        none = pl.lit([], dtype=pl.List(pl.String))
        concepts = concepts.join(others, on="id", how="left").with_columns(pl.col("equivalents").fill_null(none))
        self._table("known", concepts.select("id", "name"))
        dangling = self._dangling()
        whole = pl.concat([shaped(concepts, CONCEPTS), dangling])
        return self._narrowed(whole).sort("id"), tuple(dangling["id"])

    def _dangling(self) -> pl.DataFrame:
        """Give minimal concepts for the ends of statements that no source declares."""
        missing = self._frame(
            """SELECT id, min(source) AS source FROM (
                SELECT subject AS id, min(source) AS source FROM facts WHERE NOT looped GROUP BY 1
                UNION ALL SELECT object, min(source) FROM facts WHERE NOT looped GROUP BY 1
            ) e WHERE NOT EXISTS (SELECT 1 FROM known k WHERE k.id = e.id) GROUP BY id ORDER BY id"""
        )
        categories = pl.Series("category", [category_of(one).value for one in missing["id"]], dtype=pl.String)
        none = pl.lit([], dtype=pl.List(pl.String))
        minimal = missing.select(
            "id",
            categories,
            name="id",
            definition=pl.lit(""),
            source="source",
            deprecated=pl.lit(False),
            replaced_by=pl.lit(None, dtype=pl.String),
            xrefs=none,
            equivalents=none,
            sources=none,
            definition_source=pl.lit(""),
        )
        return shaped(minimal, CONCEPTS)

    def _narrowed(self, concepts: pl.DataFrame) -> pl.DataFrame:
        """Make terms beside the root of their vocabulary `Category.OTHER`."""
        for prefix, root in _ROOTS.items():
            if root not in concepts["id"]:
                continue
            edges = self._frame(
                "SELECT DISTINCT subject, object FROM facts WHERE predicate = $1 AND NOT negated AND NOT looped "
                "AND starts_with(subject, $2)",
                [Predicate.SUBCLASS_OF.value, prefix],
            )
            children: dict[str, list[str]] = {}
            for child, parent in edges.iter_rows():
                children.setdefault(parent, []).append(child)
            inside, queue = {root}, [root]
            while queue:
                fresh = set(children.get(queue.pop(), ())) - inside
                inside |= fresh
                queue.extend(fresh)
            beside = (
                pl.col("id").str.starts_with(prefix)
                & ~pl.col("deprecated")
                & ~pl.col("id").is_in(pl.Series(sorted(inside)).implode())
            )
            concepts = concepts.with_columns(
                category=pl.when(beside).then(pl.lit(Category.OTHER.value)).otherwise("category")
            )
        return concepts

    def _synonyms(self) -> None:
        """Write names: those the sources give, and labels that another label displaced."""
        self.sql.execute(
            """CREATE TABLE named AS
            SELECT coalesce(r.now, p.concept) AS concept, p.text, p.scope, p.kind, p.source
            FROM (SELECT *, false AS former FROM part_synonyms UNION ALL SELECT *, true FROM part_names) p
            LEFT JOIN rename r ON r.id = p.concept AND (r.member OR p.former)
            UNION ALL
            SELECT d.id, d.name, 'exact', 'label', d.source FROM declared d JOIN known k ON k.id = d.id
            WHERE d.name <> '' AND d.name <> k.name"""
        )
        self._copy(
            "synonyms",
            "SELECT DISTINCT concept, text, scope, kind, source FROM named n "
            "WHERE EXISTS (SELECT 1 FROM known k WHERE k.id = n.concept)",
        )

    def _mappings(self) -> None:
        self._copy("mappings", "SELECT DISTINCT subject, predicate, object, source FROM part_mappings")

    def _rejects(self) -> None:
        self._copy(
            "rejects",
            """SELECT DISTINCT * FROM (
                SELECT source, record, reason FROM part_rejects
                UNION ALL SELECT source, concat_ws(' ', subject_as_written, predicate, object_as_written),
                    'a concept stands in relation to itself' FROM facts WHERE looped
                UNION ALL SELECT source, concept, 'a further name of a concept that no source declares' FROM named n
                WHERE NOT EXISTS (SELECT 1 FROM known k WHERE k.id = n.concept)
            )""",
        )

    def _copy(self, name: str, text: str) -> None:
        """Write the rows of a query, sorted, through the one writer that gives equal bytes for equal rows."""
        self._write_frame(name, self._frame(f"SELECT * FROM ({text}) ORDER BY {', '.join(ORDER[name])}"))

    def _write_frame(self, name: str, frame: pl.DataFrame) -> None:
        frame.write_parquet(self.folder / f"{name}.parquet", compression="zstd", statistics=True)
        self.rows[name] = frame.height

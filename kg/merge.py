"""Makes one graph of what several sources said.

- A concept that several sources declare is one row: the first source that names it gives name, category and
  definition, other names become synonyms, gaps are filled, cross-references united.
- Former ids (``alt_id``, obsolete with a successor) are replaced by the current one in statements; the evidence keeps
  the ids as written.
- A statement that several sources make is one row with the evidence of each; equal evidence counts once.
- Ends that no source declares become minimal concepts (name = id, category by prefix) and are reported as dangling.
- Further names of a concept that nobody declares, and statements of a concept about itself, are rejected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from kg.collect import Collected
from kg.readers.curies import category_of
from kg.readers.records import REPLACED_BY
from kg.schema import CONCEPTS, EVIDENCE, STATEMENTS, SYNONYMS
from kg.types import statement_id
from kg.vocabulary import Category, Predicate

_ROOTS = {"HP:": "HP:0000118"}
"""Below a vocabulary's root its terms keep their category; beside it (modes of inheritance …) they are `OTHER`."""

_SYMMETRIC = (Predicate.DIFFERENTIAL_WITH,)


@dataclass(frozen=True, slots=True)
class Merged:
    """The bundle's tables, sorted, and the ids that no source declares."""

    tables: dict[str, pl.DataFrame]
    dangling: tuple[str, ...]


def merge(collected: Sequence[Collected]) -> Merged:
    """Merge sources, the first ones taking precedence for names and categories."""
    declared = pl.concat([c.concepts.with_columns(rank=pl.lit(i)) for i, c in enumerate(collected)])
    mappings = pl.concat([c.mappings for c in collected]).unique()
    concepts, extra = _concepts(declared)
    current = _successors(concepts, mappings)
    facts = _renamed(pl.concat([c.facts for c in collected]), current)
    loops = facts.filter(pl.col("subject") == pl.col("object"))
    facts = facts.filter(pl.col("subject") != pl.col("object"))
    names = pl.concat([c.names for c in collected]).with_columns(pl.col("concept").replace(current))
    unknown = names.filter(~pl.col("concept").is_in(concepts["id"].implode()))
    dangling = _dangling(concepts, facts)
    concepts = _narrowed(pl.concat([concepts, dangling]), facts)
    synonyms = pl.concat([*(c.synonyms for c in collected), extra, names.join(unknown, on=names.columns, how="anti")])
    rejects = pl.concat([*(c.rejects for c in collected), _loop_rejects(loops), _name_rejects(unknown)])
    tables = {
        "concepts": concepts.sort("id"),
        "synonyms": synonyms.unique().sort(list(SYNONYMS)),
        "statements": _statements(facts),
        "evidence": _evidence(facts),
        "mappings": mappings.sort("subject", "predicate", "object", "source"),
        "rejects": rejects.unique().sort("source", "record", "reason"),
    }
    return Merged({name: table.rechunk() for name, table in tables.items()}, tuple(dangling["id"].sort()))


def _concepts(declared: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Give one row an id, and the names that thereby became synonyms."""
    declared = declared.with_row_index("row").with_columns(
        # A source that only mentions a concept must not outrank the one that describes it.
        vague=(pl.col("category") == Category.OTHER.value) & (pl.col("name") == "")
    )
    ranked = declared.sort("id", "vague", "rank", "row")
    named = pl.col("name").filter(pl.col("name") != "").first().fill_null(pl.col("id").first())
    specific = pl.col("category").filter(pl.col("category") != Category.OTHER.value).first()
    concepts = ranked.group_by("id", maintain_order=True).agg(
        category=specific.fill_null(Category.OTHER.value),
        name=named,
        definition=pl.col("definition").filter(pl.col("definition") != "").first().fill_null(""),
        source=pl.col("source").first(),
        deprecated=pl.col("deprecated").all(),
        replaced_by=pl.col("replaced_by").drop_nulls().first(),
        xrefs=pl.col("xrefs").explode(empty_as_null=False).drop_nulls().unique().sort(),
    )
    other = ranked.join(concepts.select("id", kept="name"), on="id").filter(
        (pl.col("name") != "") & (pl.col("name") != pl.col("kept"))
    )
    extra = other.select(concept="id", text="name", scope=pl.lit("exact"), kind=pl.lit("label"), source="source")
    return concepts.select(list(CONCEPTS)), extra


def _successors(concepts: pl.DataFrame, mappings: pl.DataFrame) -> dict[str, str]:
    """Map each former id to the current one, through chains; ids that are in use themselves map to nothing."""
    replaced = mappings.filter(pl.col("predicate") == REPLACED_BY).sort("subject", "object", descending=True)
    step = dict(replaced.select("subject", "object").iter_rows())
    step |= dict(concepts.filter(pl.col("replaced_by").is_not_null()).select("id", "replaced_by").iter_rows())
    live = set(concepts.filter(~pl.col("deprecated"))["id"])
    current: dict[str, str] = {}
    for former in step:
        seen, end = {former}, former
        while end in step and end not in live:
            end = step[end]
            if end in seen:
                break
            seen.add(end)
        if end in live and end != former:
            current[former] = end
    return current


def _renamed(facts: pl.DataFrame, current: dict[str, str]) -> pl.DataFrame:
    """Put current ids for former ones and order the ends of symmetric statements; renew the ids of what changed."""
    symmetric = pl.col("predicate").is_in([p.value for p in _SYMMETRIC])
    turned = symmetric & (pl.col("s") > pl.col("o"))
    facts = facts.with_columns(s=pl.col("subject").replace(current), o=pl.col("object").replace(current)).with_columns(
        s=pl.when(turned).then("o").otherwise("s"), o=pl.when(turned).then("s").otherwise("o")
    )
    same = (pl.col("s") == pl.col("subject")) & (pl.col("o") == pl.col("object"))
    changed = facts.filter(~same).with_columns(subject="s", object="o")
    ids = [
        statement_id(subject, Predicate(predicate), object_, negated)
        for subject, predicate, object_, negated in changed.select("subject", "predicate", "object", "negated").rows()
    ]
    changed = changed.with_columns(statement=pl.Series(ids, dtype=pl.String))
    return pl.concat([facts.filter(same), changed]).drop("s", "o")


def _dangling(concepts: pl.DataFrame, facts: pl.DataFrame) -> pl.DataFrame:
    """Give minimal concepts for the ends of statements that no source declares."""
    ends = pl.concat([facts.select(id="subject", source="source"), facts.select(id="object", source="source")])
    missing = ends.group_by("id").agg(pl.col("source").min()).join(concepts.select("id"), on="id", how="anti")
    missing = missing.sort("id")
    categories = [category_of(identifier).value for identifier in missing["id"]]
    return missing.select(
        "id",
        pl.Series("category", categories, dtype=pl.String),
        name="id",
        definition=pl.lit(""),
        source="source",
        deprecated=pl.lit(False),
        replaced_by=pl.lit(None, dtype=pl.String),
        xrefs=pl.lit([], dtype=pl.List(pl.String)),
    )


def _narrowed(concepts: pl.DataFrame, facts: pl.DataFrame) -> pl.DataFrame:
    """Make terms beside the root of their vocabulary `Category.OTHER`."""
    edges = facts.filter((pl.col("predicate") == Predicate.SUBCLASS_OF.value) & ~pl.col("negated"))
    for prefix, root in _ROOTS.items():
        if root not in concepts["id"]:
            continue
        children: dict[str, list[str]] = {}
        for child, parent in edges.filter(pl.col("subject").str.starts_with(prefix)).select("subject", "object").rows():
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


def _statements(facts: pl.DataFrame) -> pl.DataFrame:
    grouped = facts.group_by("statement").agg(
        pl.col("subject", "predicate", "object", "negated").first(),
        weight=pl.col("weight").max(),
        sources=pl.col("source").unique().sort(),
    )
    return grouped.rename({"statement": "id"}).select(list(STATEMENTS)).sort("id")


def _evidence(facts: pl.DataFrame) -> pl.DataFrame:
    rows = facts.select(list(EVIDENCE)).with_columns(cited=pl.col("publications").list.join(";")).unique()
    order = [c if c != "publications" else "cited" for c in EVIDENCE]
    return rows.sort(order, nulls_last=True).drop("cited")


def _loop_rejects(loops: pl.DataFrame) -> pl.DataFrame:
    return loops.select(
        source="source",
        record=pl.concat_str("subject_as_written", "predicate", "object_as_written", separator=" "),
        reason=pl.lit("a concept stands in relation to itself"),
    )


def _name_rejects(unknown: pl.DataFrame) -> pl.DataFrame:
    return unknown.select(
        source="source", record="concept", reason=pl.lit("a further name of a concept that no source declares")
    )

"""What the ``kg`` commands ask of a store, a bundle or a cohort: every function gives rows to print."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from pathlib import Path

import polars as pl

from ehr.cohort import Cohort
from ehr.errors import InputError
from ehr.progress import say
from kg.bundle import Bundle
from kg.concept_view import ConceptView, concept_view
from kg.diff import diff
from kg.link import link_cohort, link_text
from kg.link.context_terms import CONTEXT_FLAGS
from kg.queries import evidence_queries, run_evidence
from kg.retrieve import draw_admission, explain_admission, retrieve_cohort
from kg.stores import GraphStore, open_store
from kg.validate import validate

Row = dict[str, object]


@cache
def _cypher(name: str) -> str:
    return files("kg.queries").joinpath("explore", f"{name}.cypher").read_text(encoding="utf-8")


def _rows(store: GraphStore, name: str, parameters: Mapping[str, object] | None = None) -> list[Row]:
    return store.query(_cypher(name), parameters, limit=None).records()


def store_stats(url: str) -> list[Row]:
    """Count a store's concepts and statements by source, and the share of curated citations that were opened."""
    with open_store(url) as store:
        concepts = _rows(store, "count_concepts")
        statements = _rows(store, "count_statements")
    rows: list[Row] = [{"what": "concepts", **row, "checked": None} for row in concepts]
    opened = curated = 0
    for row in statements:
        checked, judged = int(str(row["checked"])), int(str(row["curated"]))
        opened, curated = opened + checked, curated + judged
        rows.append(
            {
                "what": "statements",
                "source": row["source"],
                "kind": row["kind"],
                "count": row["count"],
                "checked": f"{checked} of {judged}" if judged else None,
            }
        )
    share = f"{opened} of {curated} ({opened / curated:.0%})" if curated else None
    rows.append({"what": "citations opened", "source": "all", "kind": None, "count": curated, "checked": share})
    return rows


def show_concept(url: str, curie: str, *, limit: int = 12) -> ConceptView:
    """Give a concept with what stands above, below and around it.

    Args:
        url: address of the store.
        curie: its id, another one of its clique, or a former one, in any known spelling.
        limit: neighbours at most by predicate and direction.

    Raises:
        InputError: where the store has no such concept; says which are near.
    """
    with open_store(url) as store:
        view = concept_view(store, curie, limit=limit)
    if view is None:
        near = ", ".join(f"{hit['id']} ({hit['name']})" for hit in search_store(url, curie, limit=3))
        remedy = f"did you mean {near}" if near else "find ids with `kg search`"
        raise InputError(f"no concept {curie!r} in {url}", remedy=remedy)
    return view


def search_store(url: str, words: str, *, limit: int = 20) -> list[Row]:
    """Search concepts by words over names and synonyms, tolerant of typing errors, best first.

    Every store answers with the same scores; an id of another member of a concept's clique finds it too.
    """
    with open_store(url) as store:
        hits = store.search(words, limit)
    return [
        {"id": h.id, "name": h.name, "matched": h.matched, "score": h.score, "category": h.category, "source": h.source}
        for h in hits
    ]


def query_store(
    url: str,
    cypher: str,
    parameters: Mapping[str, object],
    *,
    write: bool = False,
    limit: int = 1000,
    timeout: float = 60,
) -> list[Row]:
    """Run one Cypher query of a person; read-only unless ``write``.

    Raises:
        InputError: for a query that is not allowed, is not Cypher, or takes too long.
    """
    with open_store(url, read_only=not write) as store:
        result = store.query(cypher, parameters, read_only=not write, limit=limit, timeout=timeout)
    if result.truncated:
        say(f"the first {limit} rows; --limit shows more")
    return result.records()


def list_evidence() -> list[Row]:
    """List the evidence queries with the question each answers."""
    return [
        {"name": q.name, "question": q.question, "parameters": ", ".join(q.parameters), "columns": ", ".join(q.columns)}
        for q in evidence_queries()
    ]


def browser_text(name: str) -> str:
    """Give the twin of an evidence query that Neo4j Browser draws.

    Raises:
        InputError: for an unknown name.
    """
    for query in evidence_queries():
        if query.name == name:
            return query.graph_text
    names = [query.name for query in evidence_queries()]
    near = difflib.get_close_matches(name, names, 1) or names
    raise InputError(f"no evidence query {name!r}", remedy=f"did you mean {near[0]}? `kg evidence` lists them")


def evidence_rows(url: str, name: str, parameters: Mapping[str, object]) -> list[Row]:
    """Run one evidence query."""
    with open_store(url) as store:
        return run_evidence(store, name, parameters).records()


def link_free_text(source: str, bundle: Path, *, rules: Path | None = None) -> list[Row]:
    """Link one text (a file, or ``-`` for standard input) and give its mentions, offsets in characters."""
    if source == "-":
        text = sys.stdin.read()
    else:
        try:
            text = Path(source).read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise InputError("no such file", where=source) from error
        except UnicodeDecodeError as error:
            raise InputError("not UTF-8 text", where=source, remedy="convert it with iconv -t utf-8") from error
    opened = Bundle.open(bundle)
    return [
        {
            "start": m.start,
            "end": m.end,
            "text": text[m.start : m.end],
            "concept": m.concept,
            "name": opened.name(m.concept),
            "negated": m.negated,
            "historical": m.historical,
            "hypothetical": m.hypothetical,
            "family": m.family,
        }
        for m in link_text(text, opened, rules=rules)
    ]


def with_flags_together(rows: list[Row]) -> list[Row]:
    """Give mentions with their context flags in one column, as they fit on a screen."""
    return [
        {name: value for name, value in row.items() if name not in CONTEXT_FLAGS}
        | {"context": ", ".join(flag for flag in CONTEXT_FLAGS if row[flag])}
        for row in rows
    ]


def link_directory(cohort: Path, bundle: Path, *, mask_labels: bool = False, rules: Path | None = None) -> list[Row]:
    """Link a cohort and count its findings by origin and state."""
    opened = Cohort.open(cohort)
    link_cohort(opened, Bundle.open(bundle), mask_labels=mask_labels, rules=rules)
    flags = [pl.col(flag).sum() for flag in CONTEXT_FLAGS]
    counts = (
        opened.table("findings")
        .group_by("origin")
        .agg(
            pl.len().alias("findings"),
            pl.col("admission_id").n_unique().alias("admissions"),
            pl.col("concept").n_unique().alias("concepts"),
            *flags,
        )
    )
    return counts.sort("origin").to_dicts()


def retrieve_directory(
    cohort: Path,
    bundle: Path,
    *,
    nodes: int = 64,
    seed: int = 0,
    method: str = "typed",
    explain: str | None = None,
    draw: tuple[str, Path] | None = None,
    include_text: bool = False,
) -> list[Row]:
    """Retrieve a cohort's subgraphs, and give their sizes; or explain or draw one admission's.

    Args:
        cohort: directory.
        bundle: directory.
        nodes: the most concepts of a subgraph.
        seed: orders concepts of equal score.
        method: how nodes are chosen.
        explain: an admission; the rows then say why each node is there.
        draw: an admission and the HTML file to draw it into.
        include_text: quote the note in the drawing.
    """
    opened, graph = Cohort.open(cohort), Bundle.open(bundle)
    retrieve_cohort(opened, graph, nodes=nodes, seed=seed, method=method)
    if draw is not None:
        return [dict(row) for row in draw_admission(opened, graph, *draw, include_text=include_text)]
    if explain is not None:
        return [dict(row) for row in explain_admission(opened, graph, explain)]
    table = opened.scan("subgraphs")
    sizes = table.group_by("mode").agg(
        pl.len().alias("admissions"),
        pl.col("nodes").list.len().mean().alias("nodes"),
        pl.col("seeds").list.len().mean().alias("seeds"),
        pl.col("edges").list.len().mean().alias("edges"),
        pl.col("paths").list.len().mean().alias("paths"),
    )
    return sizes.sort("mode").collect().to_dicts()


def diff_bundles(old: Path, new: Path, *, limit: int | None = None) -> tuple[list[Row], list[Row]]:
    """List the differences of two bundles, at most ``limit``, and count all of them by table, kind and source."""
    found = diff(old, new, limit=limit)
    left = found.total - len(found.changes)
    if left:
        say(f"{len(found.changes):,} of {found.total:,} changes; --limit shows more")
    return [dict(row) for row in found.rows()], [dict(row) for row in found.summary()]


def problems_of(bundle: Path) -> list[Row]:
    """List what is wrong with a bundle; empty for a sound one."""
    return [asdict(problem) for problem in validate(bundle)]

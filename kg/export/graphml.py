"""GraphML, for the tools that draw small graphs (Gephi, Cytoscape, yEd); a large graph is to be cut first.

Specification: http://graphml.graphdrawing.org; written by networkx. GraphML has no lists: elements are parted by
``; ``. Signs that XML 1.0 cannot hold are left out.
"""

from __future__ import annotations

import re
from pathlib import Path

import networkx as nx
import polars as pl

from ehr.errors import InputError
from ehr.progress import bar
from kg.bundle import Bundle
from kg.export.derived import rows_of

LIMIT = 20_000
"""Concepts that are written unless the caller asks for another number."""
_RELATIONS = 50
"""Relations a concept of the limit, at most: beyond that no tool draws the graph."""

_STRANGE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def check_size(bundle: Bundle, limit: int) -> None:
    """Refuse what is too large.

    Raises:
        InputError: where there are more concepts than ``limit``, or far more relations.
    """
    counts = rows_of(bundle)
    for name, most in (("concepts", limit), ("statements", limit * _RELATIONS)):
        if counts[name] > most:
            raise InputError(
                f"{counts[name]:,} {name}, GraphML is for at most {most:,}",
                where=bundle.path,
                remedy="cut a part out with --centre CURIE --hops N, or raise --limit",
            )


def write_graphml(bundle: Bundle, folder: Path) -> dict[str, int]:
    """Write ``graph.graphml`` and give the numbers of nodes and edges."""
    counts = rows_of(bundle)
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    with bar("writing GraphML", counts["concepts"] + counts["statements"]) as advance:
        names = bundle.synonyms.group_by("concept").agg(synonyms=pl.col("text").unique().sort())
        concepts = bundle.concepts.join(names, left_on="id", right_on="concept", how="left").sort("id").collect()
        for row in concepts.iter_rows(named=True):
            graph.add_node(
                _text(row["id"]),
                label=_text(row["name"]),
                category=row["category"],
                definition=_text(row["definition"]),
                source=_text(row["source"]),
                deprecated=bool(row["deprecated"]),
                synonyms=_joined(row["synonyms"] or []),
                equivalents=_joined(row["equivalents"]),
            )
            advance()
        for row in bundle.statements.collect().iter_rows(named=True):
            checked = {} if row["checked"] is None else {"checked": bool(row["checked"])}
            graph.add_edge(
                _text(row["subject"]),
                _text(row["object"]),
                key=row["id"],
                statement=row["id"],
                predicate=row["predicate"],
                weight=float(row["weight"]),
                negated=bool(row["negated"]),
                sources=_joined(row["sources"]),
                publications=_joined(row["publications"]),
                **checked,
            )
            advance()
    nx.write_graphml(graph, folder / "graph.graphml", named_key_ids=True)
    return {"nodes": graph.number_of_nodes(), "edges": graph.number_of_edges()}


def _text(value: str) -> str:
    return _STRANGE.sub("", value)


def _joined(values: list[str]) -> str:
    return _text("; ".join(values))

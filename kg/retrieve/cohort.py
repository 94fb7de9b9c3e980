"""Retrieval for a whole cohort, and reading its subgraphs back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from ehr.errors import InputError
from ehr.files import JsonValue, fingerprint
from ehr.progress import bar, say
from kg.link import findings_of
from kg.retrieve.explain import Row, explain_nodes
from kg.retrieve.retriever import Retriever
from kg.retrieve.seeds import MODES
from kg.retrieve.table import SCHEMA, from_frame
from kg.types import PatientSubgraph

if TYPE_CHECKING:
    from ehr.cohort import Cohort
    from kg.bundle import Bundle

VERSION = 4
"""Version of the retrieval; a change makes older tables stale."""
_BATCH = 50
_ROW_GROUP = 100
"""Rows of the table that are held before they are written; a row is some ten thousand bytes."""


@dataclass(frozen=True, slots=True)
class RetrievalSummary:
    """What retrieval made; means are over the subgraphs of mode ``all``.

    Attributes:
        subgraphs: rows of the table.
        mean_nodes, mean_edges, mean_seeds, mean_paths: sizes.
        without_evidence: admissions for which no path reaches any candidate.
        without_findings: admissions without any seed: their subgraph holds the candidates alone.
        already_done: True where the table was current and nothing was written.
    """

    subgraphs: int
    mean_nodes: float
    mean_edges: float
    mean_seeds: float
    mean_paths: float
    without_evidence: int
    without_findings: int
    already_done: bool = False


def retrieve_cohort(
    cohort: Cohort, bundle: Bundle, *, nodes: int = 64, seed: int = 0, method: str = "typed"
) -> RetrievalSummary:
    """Retrieve two subgraphs for each admission of a linked cohort and write its table ``subgraphs``.

    Args:
        cohort: linked with the same bundle.
        bundle: the graph.
        nodes: the most concepts of a subgraph.
        seed: orders concepts of equal score.
        method: how nodes are chosen, one of `kg.retrieve.methods.METHODS`.

    Raises:
        InputError: where the cohort was not linked or has a label set of its own, ``nodes`` is too small, or the
            method is unknown.
    """
    cohort.need_built_in_labels("retrieval")
    print_ = fingerprint(
        {
            "step": "retrieve",
            "version": VERSION,
            "bundle": bundle.hash,
            "findings": cohort.fingerprint("findings"),
            "nodes": nodes,
            "seed": seed,
            **({} if method == "typed" else {"method": method}),
        }
    )
    if cohort.is_current("subgraphs", print_):
        say("subgraphs: already retrieved with this graph and these findings")
        return _summary(cohort, done=True)
    retriever = Retriever(bundle, nodes=nodes, seed=seed, method=method)
    strange = _unknown(cohort, retriever)
    if strange:
        say(f"subgraphs: {strange:,} concepts of the findings are unknown to this graph's walked part and are left out")
    info: dict[str, JsonValue] = {"graph": bundle.hash, "nodes": nodes, "seed": seed, "method": method}
    cohort.write_batches(
        "subgraphs", _frames(cohort, retriever), pl.Schema(SCHEMA), print_, row_group=_ROW_GROUP, **info
    )
    summary = _summary(cohort)
    if summary.without_findings:
        say(f"subgraphs: {summary.without_findings:,} admissions have no finding; theirs hold the candidates alone")
    return summary


def _unknown(cohort: Cohort, retriever: Retriever) -> int:
    concepts = cohort.scan("findings").select(pl.col("concept").unique()).collect()["concept"]
    return sum(concept not in retriever.core.place for concept in concepts.to_list())


def _frames(cohort: Cohort, retriever: Retriever) -> Iterator[pl.DataFrame]:
    """Retrieve in batches; nothing is kept of one when the next begins."""
    ids = cohort.ids()
    with bar("retrieving subgraphs", len(ids)) as advance:
        for begin in range(0, len(ids), _BATCH):
            batch = ids[begin : begin + _BATCH]
            found = findings_of(cohort, batch)
            wanted = [(admission, found[admission], mode) for admission in batch for mode in MODES]
            yield retriever.retrieve_table(wanted)
            advance(len(batch))


def _summary(cohort: Cohort, *, done: bool = False) -> RetrievalSummary:
    table = cohort.scan("subgraphs")
    whole = table.filter(pl.col("mode") == "all")
    parts = ("nodes", "edges", "seeds", "paths")
    counts = whole.select(
        *(pl.col(part).list.len().mean() for part in parts),
        without_evidence=(pl.col("paths").list.len() == 0).sum(),
        without_findings=(pl.col("seeds").list.len() == 0).sum(),
    ).collect()
    row = counts.row(0, named=True)
    nodes, edges, seeds, paths = (round(float(row[part] or 0.0), 2) for part in parts)
    height = int(table.select(pl.len()).collect().item())
    return RetrievalSummary(
        height, nodes, edges, seeds, paths, int(row["without_evidence"]), int(row["without_findings"]), done
    )


def subgraphs_of(cohort: Cohort, ids: Iterable[str] | None = None, mode: str = "all") -> dict[str, PatientSubgraph]:
    """Give the subgraphs of admissions in one mode.

    Raises:
        InputError: where the cohort's subgraphs were not retrieved yet.
    """
    chosen = pl.col("mode") == mode
    if ids is not None:
        chosen &= pl.col("admission_id").is_in(list(ids))
    frame = cohort.scan("subgraphs").filter(chosen).collect()
    return {subgraph.admission_id: subgraph for subgraph in from_frame(frame)}


def subgraph_of(cohort: Cohort, admission_id: str) -> PatientSubgraph:
    """Give one admission's subgraph in mode ``all``.

    Raises:
        InputError: for an admission without a subgraph, or a cohort whose subgraphs were not retrieved yet.
    """
    found = subgraphs_of(cohort, [admission_id])
    if admission_id not in found:
        raise InputError(
            f"no subgraph of admission {admission_id!r}", where=cohort.path, remedy="see `clinragen ehr describe`"
        )
    return found[admission_id]


def explain_admission(cohort: Cohort, bundle: Bundle, admission_id: str) -> list[Row]:
    """Say of every node of an admission's subgraph why it is there (see `kg.retrieve.explain.explain_nodes`).

    Raises:
        InputError: for an admission without a subgraph, or a cohort whose subgraphs were not retrieved yet.
    """
    return explain_nodes(subgraph_of(cohort, admission_id), bundle)

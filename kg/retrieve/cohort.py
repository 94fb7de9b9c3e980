"""Retrieval for a whole cohort, and reading its subgraphs back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from ehr.errors import InputError
from ehr.files import fingerprint
from ehr.progress import bar, say
from kg.link import findings_of
from kg.retrieve.explain import Row, explain
from kg.retrieve.retriever import Retriever
from kg.retrieve.seeds import MODES
from kg.retrieve.table import SCHEMA, from_frame, to_frame
from kg.types import PatientSubgraph

if TYPE_CHECKING:
    from ehr.cohort import Cohort
    from kg.bundle import Bundle

VERSION = 4
"""Version of the retrieval; a change makes older tables stale."""
_BATCH = 250


@dataclass(frozen=True, slots=True)
class RetrievalSummary:
    """What retrieval made; means are over the subgraphs of mode ``all``.

    Attributes:
        subgraphs: rows of the table.
        mean_nodes, mean_edges, mean_seeds, mean_paths: sizes.
        without_evidence: admissions for which no path reaches any candidate.
        already_done: True where the table was current and nothing was written.
    """

    subgraphs: int
    mean_nodes: float
    mean_edges: float
    mean_seeds: float
    mean_paths: float
    without_evidence: int
    already_done: bool = False


def retrieve_cohort(cohort: Cohort, bundle: Bundle, *, nodes: int = 64, seed: int = 0) -> RetrievalSummary:
    """Retrieve two subgraphs for each admission of a linked cohort and write its table ``subgraphs``.

    Args:
        cohort: linked with the same bundle.
        bundle: the graph.
        nodes: the most concepts of a subgraph.
        seed: orders concepts of equal score.

    Raises:
        InputError: where the cohort was not linked or has a label set of its own, or ``nodes`` is too small.
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
        }
    )
    if cohort.is_current("subgraphs", print_):
        say("subgraphs: already retrieved with this graph and these findings")
        return _summary(cohort.table("subgraphs"), done=True)
    retriever = Retriever(bundle, nodes=nodes, seed=seed)
    ids = cohort.ids()
    cohort.table("findings").select("admission_id")
    frames = [pl.DataFrame(schema=SCHEMA)]
    with bar("retrieving subgraphs", len(ids)) as advance:
        for begin in range(0, len(ids), _BATCH):
            batch = ids[begin : begin + _BATCH]
            found = findings_of(cohort, batch)
            wanted = [(admission, found[admission], mode) for admission in batch for mode in MODES]
            frames.append(to_frame(retriever.retrieve_many(wanted)))
            advance(len(batch))
    frame = pl.concat(frames)
    summary = _summary(frame)
    cohort.write_table("subgraphs", frame, print_, graph=bundle.hash, nodes=nodes, seed=seed)
    return summary


def _summary(frame: pl.DataFrame, *, done: bool = False) -> RetrievalSummary:
    whole = frame.filter(pl.col("mode") == "all")
    means = whole.select(pl.col("nodes", "edges", "seeds", "paths").list.len().mean()).row(0)
    nodes, edges, seeds, paths = (round(float(mean or 0.0), 2) for mean in means)
    empty = int((whole["paths"].list.len() == 0).sum())
    return RetrievalSummary(frame.height, nodes, edges, seeds, paths, empty, done)


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


def explain_admission(cohort: Cohort, bundle: Bundle, admission_id: str) -> list[Row]:
    """Say which findings of an admission speak for which candidate (see `kg.retrieve.explain`).

    Raises:
        InputError: for an admission without a subgraph, or a cohort whose subgraphs were not retrieved yet.
    """
    found = subgraphs_of(cohort, [admission_id])
    if admission_id not in found:
        raise InputError("no subgraph of this admission", where=cohort.path, remedy="see `clinragen ehr describe`")
    return explain(found[admission_id], bundle)

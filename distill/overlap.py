"""How far the simulator's own tables and the graph say the same, and the draw of links held out for `test_links`.

The simulator never reads the graph and the graph never the simulator; the two meet here alone, because a design of
experiment needs to know which generating links the graph also states.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ehr.files import atomic_path, fingerprint
from ehr.phenotypes import load_phenotypes
from ehr.simulator import SimulationSummary, simulate
from kg.bundle import Bundle
from kg.vocabulary import Predicate

CLOSURE = 2
"""A finding counts as stated where the graph states it, or a term at most this many steps above it."""

_FROM_DISEASE = {
    Predicate.HAS_PHENOTYPE: "",
    Predicate.HAS_COMPLICATION: "",
    Predicate.HAS_HIGH_MEASUREMENT: "high",
    Predicate.HAS_LOW_MEASUREMENT: "low",
}
_TO_DISEASE = (Predicate.PREDISPOSES_TO, Predicate.TREATS)


def stated_pairs(bundle: Bundle) -> pl.DataFrame:
    """Pairs of a candidate disease and a concept that the graph relates by one statement.

    Returns:
        Columns ``phenotype``, ``concept`` (CURIE), ``direction`` (high, low or empty), ``name``; sorted, each once. A
        concept has one row for each of its names, so that drugs and exposures can be found by name.
    """
    phenotypes = list(load_phenotypes().ids)
    live = bundle.statements.filter(~pl.col("negated"))
    outgoing = live.filter(
        pl.col("subject").is_in(phenotypes) & pl.col("predicate").is_in([p.value for p in _FROM_DISEASE])
    ).select(
        pl.col("subject").alias("phenotype"),
        pl.col("object").alias("concept"),
        pl.col("predicate").replace_strict({p.value: d for p, d in _FROM_DISEASE.items()}).alias("direction"),
    )
    incoming = live.filter(
        pl.col("object").is_in(phenotypes) & pl.col("predicate").is_in([p.value for p in _TO_DISEASE])
    ).select(pl.col("object").alias("phenotype"), pl.col("subject").alias("concept"), pl.lit("").alias("direction"))
    direct = pl.concat([outgoing, incoming]).unique()
    broader = live.filter(pl.col("predicate") == Predicate.SUBCLASS_OF.value).select(
        pl.col("subject").alias("narrow"), pl.col("object").alias("concept")
    )
    pairs, level = direct, direct
    for _ in range(CLOSURE):
        level = level.join(broader, on="concept").select("phenotype", pl.col("narrow").alias("concept"), "direction")
        pairs = pl.concat([pairs, level]).unique()
    names = pl.concat(
        [
            bundle.concepts.select(pl.col("id").alias("concept"), "name"),
            bundle.synonyms.select("concept", pl.col("text").alias("name")),
        ]
    ).with_columns(pl.col("name").str.to_lowercase())
    return pairs.join(names, on="concept").unique().sort("phenotype", "concept", "direction", "name")


def simulate_with_graph(out: Path, *, admissions: int, seed: int, graph: Path | None = None) -> SimulationSummary:
    """Simulate patients; with a graph, links held out for `test_links` are drawn among those that it states.

    Raises:
        InputError: see `ehr.simulator.simulate` and `kg.bundle.Bundle.open`.
    """
    if graph is None:
        return simulate(out, admissions=admissions, seed=seed)
    bundle = Bundle.open(graph)
    pairs = bundle.path / f"stated_pairs.{fingerprint([bundle.hash, CLOSURE])[:8]}.csv"
    if not pairs.exists():
        with atomic_path(pairs) as temporary:
            stated_pairs(bundle).write_csv(temporary)
    return simulate(out, admissions=admissions, seed=seed, stated_pairs=pairs)


@dataclass(frozen=True, slots=True)
class Overlap:
    """Counts behind the two shares that the results report."""

    generating: int
    generating_stated: int
    stated: int
    stated_generating: int

    def as_dict(self) -> dict[str, float | int]:
        """Give counts and shares for JSON."""
        return {
            "generating_links": self.generating,
            "share_of_generating_links_that_the_graph_states": round(
                self.generating_stated / max(1, self.generating), 4
            ),
            "graph_links_of_candidates": self.stated,
            "share_of_graph_links_that_generate_nothing": round(1 - self.stated_generating / max(1, self.stated), 4),
        }

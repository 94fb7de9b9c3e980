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
from ehr.simulator import SimulationSummary, generating_pairs, simulate
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


def _direct(bundle: Bundle) -> pl.DataFrame:
    """Pairs that one statement relates: ``phenotype``, ``concept``, ``direction``."""
    live = bundle.statements.filter(~pl.col("negated"))
    phenotypes = list(load_phenotypes().ids)
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
    return pl.concat([outgoing, incoming]).unique().collect()


def _broader(bundle: Bundle) -> pl.DataFrame:
    """Give the steps upwards: ``narrow`` is a kind of ``broad``."""
    below = pl.col("predicate") == Predicate.SUBCLASS_OF.value
    return bundle.statements.filter(below & ~pl.col("negated")).select(narrow="subject", broad="object").collect()


def _along(pairs: pl.DataFrame, steps: pl.DataFrame, start: str, end: str) -> pl.DataFrame:
    """Add, for each pair, the same pair with every concept at most `CLOSURE` steps from ``start`` to ``end``."""
    level, found = pairs, pairs
    for _ in range(CLOSURE):
        level = level.join(steps, left_on="concept", right_on=start).select(
            "phenotype", pl.col(end).alias("concept"), "direction"
        )
        found = pl.concat([found, level]).unique()
    return found


def stated_pairs(bundle: Bundle) -> pl.DataFrame:
    """Pairs of a candidate disease and a concept that the graph relates by one statement.

    Returns:
        Columns ``phenotype``, ``concept`` (CURIE), ``direction`` (high, low or empty), ``name``; sorted, each once. A
        concept has one row for each of its names, so that drugs and exposures can be found by name.
    """
    pairs = _along(_direct(bundle), _broader(bundle), "broad", "narrow")
    names = pl.concat(
        [
            bundle.concepts.select("name", concept="id").select("concept", "name").collect(),
            bundle.synonyms.select("concept", name="text").collect(),
        ]
    ).with_columns(pl.col("name").str.to_lowercase())
    return pairs.join(names, on="concept").unique().sort("phenotype", "concept", "direction", "name")


def pairs_by_id_and_name(bundle: Bundle) -> pl.DataFrame:
    """Give the stated pairs as the simulator reads them: ``concept`` is a CURIE in some rows, a name in others."""
    pairs = stated_pairs(bundle)
    by_name = pairs.select("phenotype", pl.col("name").alias("concept"), "direction")
    columns = ["phenotype", "concept", "direction"]
    return pl.concat([pairs.select(columns), by_name]).unique().sort(columns)


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
            pairs_by_id_and_name(bundle).write_csv(temporary)
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


def overlap_of(bundle: Bundle) -> Overlap:
    """Count how far the simulator's links and the graph's relations of the candidates agree.

    A generating link is a finding, a series with its direction or a home drug of one of the 25 diseases. It is stated
    where the graph relates disease and concept (by id, or by name where the simulator has no ontology's id); a finding
    also where the graph states a term at most `CLOSURE` steps above it. A relation of the graph generates something
    where a link matches it in the same way.
    """
    pairs = generating_pairs().filter(pl.col("kind") != "inpatient_drug")
    stated = stated_pairs(bundle)
    by_id = stated.select(
        "phenotype", key=pl.col("concept").str.to_lowercase(), direction="direction", concept="concept"
    )
    by_name = stated.select("phenotype", key="name", direction="direction", concept="concept")
    known = pl.concat([by_id, by_name]).unique()
    keys = pl.concat(
        [
            pairs.with_row_index("link").select("link", "phenotype", "direction", key=pl.col(column).str.to_lowercase())
            for column in ("concept", "name")
        ]
    ).unique()
    matches = keys.join(known, on=["phenotype", "direction", "key"])
    direct = _direct(bundle)
    matched = matches.select("phenotype", "concept", "direction").unique()
    used = _along(matched, _broader(bundle), "narrow", "broad")
    return Overlap(
        generating=pairs.height,
        generating_stated=matches["link"].n_unique(),
        stated=direct.height,
        stated_generating=direct.join(used, on=["phenotype", "concept", "direction"], how="semi").height,
    )

"""What the simulator and the graph share, and the draw of held-out links from the pairs that the graph states."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from distill.overlap import overlap_of, pairs_by_id_and_name, simulate_with_graph, stated_pairs
from ehr.simulator import generating_pairs
from kg.build import build
from kg.bundle import Bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    path = tmp_path_factory.mktemp("overlap") / "graph"
    build(["series", "bridge", "phenotypes"], path)
    return Bundle.open(path)


def test_stated_pairs_are_relations_of_the_graph(bundle: Bundle) -> None:
    pairs = stated_pairs(bundle)
    ends = bundle.statements.select("subject", "object").collect()
    related = set(ends.iter_rows()) | {(b, a) for a, b in ends.iter_rows()}
    assert pairs.height > 500
    assert [pair for pair in pairs.select("phenotype", "concept").iter_rows() if pair not in related] == []
    assert set(pairs["direction"].unique()) == {"", "high", "low"}


def test_pairs_are_given_by_id_and_by_name(bundle: Bundle) -> None:
    concepts = set(pairs_by_id_and_name(bundle)["concept"].to_list())
    assert "HP:0001945" in concepts and "metformin" in concepts


def test_overlap_counts_only_what_both_say(bundle: Bundle) -> None:
    found = overlap_of(bundle)
    assert found.generating == generating_pairs().filter(pl.col("kind") != "inpatient_drug").height
    assert 0 < found.generating_stated <= found.generating
    assert 0 < found.stated_generating <= found.stated
    shares = found.as_dict()
    assert 0 < shares["share_of_generating_links_that_the_graph_states"] < 1
    assert 0 < shares["share_of_graph_links_that_generate_nothing"] < 1


def test_held_out_links_are_stated_by_the_graph(bundle: Bundle, tmp_path: Path) -> None:
    simulate_with_graph(tmp_path / "hospital", admissions=20, seed=5, graph=bundle.path)
    held = pl.read_csv(tmp_path / "hospital" / "truth" / "pairs.csv").filter(pl.col("held_out"))
    assert held.height >= 50
    stated = {(p, c.lower()) for p, c in pairs_by_id_and_name(bundle).select("phenotype", "concept").iter_rows()}
    columns = [name for name in ("concept", "name") if name in held.columns]
    missing = [
        row
        for row in held.iter_rows(named=True)
        if not any((row["phenotype"], str(row[name]).lower()) in stated for name in columns)
    ]
    assert missing == []

from __future__ import annotations

from pathlib import Path

import networkx as nx
import pytest

from ehr.errors import InputError
from kg.bundle import Bundle
from kg.export.graphml import check_size, write_graphml
from tests.kg.export.bundles import AWKWARD, write_awkward


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return Bundle.open(write_awkward(tmp_path / "graph"))


def test_nodes_and_edges_with_types(bundle: Bundle, tmp_path: Path) -> None:
    assert write_graphml(bundle, tmp_path) == {"nodes": len(AWKWARD), "edges": 10}
    graph = nx.read_graphml(tmp_path / "graph.graphml", force_multigraph=True)
    rows = {row["id"]: row for row in bundle.concepts.collect().iter_rows(named=True)}
    assert set(graph) == set(rows)
    for id_, data in graph.nodes(data=True):
        assert data["category"] == rows[id_]["category"]
        assert data["deprecated"] is rows[id_]["deprecated"]
        kept = "".join(sign for sign in AWKWARD[id_] if sign not in "\x00\x0b\x1f").replace("\r\n", "\n")
        assert data["label"].replace("\r", "\n") == kept.replace("\r", "\n")
    assert graph.nodes["HP:0000003"]["equivalents"] == "UMLS:C9; UMLS:C8"
    statements = {row["id"]: row for row in bundle.statements.collect().iter_rows(named=True)}
    for subject, object_, data in graph.edges(data=True):
        row = statements[data["statement"]]
        assert (subject, object_, data["predicate"]) == (row["subject"], row["object"], row["predicate"])
        assert (data["weight"], data["negated"]) == (row["weight"], row["negated"])
        assert data.get("checked") is row["checked"]


def test_too_large(bundle: Bundle) -> None:
    check_size(bundle, 10)
    with pytest.raises(InputError, match=r"10 concepts, GraphML is for at most 9; .*--centre"):
        check_size(bundle, 9)

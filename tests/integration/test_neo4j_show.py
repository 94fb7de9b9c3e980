"""What ``kg show`` says of a real server is what it says of the embedded store."""

from __future__ import annotations

from pathlib import Path

import pytest

from kg.concept_view import concept_view
from kg.stores import open_store
from tests.integration.conftest import Server
from tests.kg.store_bundle import CONCEPTS, write_bundle
from tests.kg.test_show import check_small

pytestmark = pytest.mark.neo4j


def test_both_stores_show_the_same(empty: Server, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "graph")
    embedded = f"ladybug:{tmp_path / 'g.lbug'}"
    with open_store(empty.url, read_only=False) as store, open_store(embedded, read_only=False) as other:
        for one in (store, other):
            one.load(bundle)
        check_small(store)
        for asked in (*CONCEPTS, "UMLS:C0015967", "no such"):
            assert concept_view(store, asked) == concept_view(other, asked)

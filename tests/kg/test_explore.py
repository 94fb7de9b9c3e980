"""What the ``kg`` commands show of a store: the same from the embedded store alone as from the bundle beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ehr.errors import InputError
from kg.bundle import Bundle
from kg.explore import (
    browser_text,
    diff_bundles,
    evidence_rows,
    link_free_text,
    list_evidence,
    problems_of,
    query_store,
    search_store,
    show_concept,
    store_stats,
)
from kg.load import build_and_load
from tests.kg.tiny_sources import write_sources


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A bundle, the store beside it, and a store that lies elsewhere."""
    root = tmp_path_factory.mktemp("explore")
    sources = write_sources(root / "sources")
    beside, apart = f"ladybug:{root / 'graph' / 'graph.lbug'}", f"ladybug:{root / 'elsewhere' / 'g.lbug'}"
    build_and_load(sources, root / "graph", [beside, apart])
    return root / "graph", beside, apart


def test_stats_count_what_the_bundle_holds(loaded: tuple[Path, str, str]) -> None:
    bundle = Bundle.open(loaded[0])
    rows = store_stats(loaded[1])
    concepts = sum(int(str(row["count"])) for row in rows if row["what"] == "concepts")
    assert concepts == bundle.concepts.collect().height
    by_source = bundle.evidence.group_by("source").agg().collect()["source"].to_list()
    assert {row["source"] for row in rows if row["what"] == "statements"} == set(by_source)


def test_show_gives_both_directions_and_the_limit_holds(loaded: tuple[Path, str, str]) -> None:
    view = show_concept(loaded[1], "hp:0001945", limit=1)
    assert "← has phenotype" in {branch.title for branch in view.branches}
    assert "has phenotype →" in {branch.title for branch in show_concept(loaded[1], "CCS:2").branches}
    assert [one.id for one in view.above] == ["HP:0000118"]
    assert all(len(branch.neighbours) == 1 for branch in view.branches)
    with pytest.raises(InputError, match="kg search"):
        show_concept(loaded[1], "HP:7777777")


def test_search_finds_the_same_with_and_without_a_bundle_beside(loaded: tuple[Path, str, str]) -> None:
    for words in ("pyrexia", "pyrexa", "pain"):
        beside, apart = (search_store(url, words, limit=5) for url in loaded[1:])
        assert beside == apart
        assert beside
    assert search_store(loaded[1], "pyrexa")[0]["id"] == "HP:0001945"


def test_a_query_reads_unless_it_may_write(loaded: tuple[Path, str, str]) -> None:
    rows = query_store(loaded[1], "MATCH (c:Concept) WHERE c.id = $id RETURN c.name AS name", {"id": "HP:0001945"})
    assert rows == [{"name": "Fever"}]
    assert len(query_store(loaded[1], "MATCH (c:Concept) RETURN c.id AS id", {}, limit=2)) == 2
    with pytest.raises(InputError, match="--write"):
        query_store(loaded[1], "MATCH (c:Concept) DETACH DELETE c", {})


def test_every_evidence_query_is_listed_and_has_its_twin(loaded: tuple[Path, str, str]) -> None:
    names = [str(row["name"]) for row in list_evidence()]
    assert len(names) >= 5
    for name in names:
        assert "MATCH" in browser_text(name)
    with pytest.raises(InputError, match="why_diagnosis"):
        browser_text("why_diagnoses")
    with pytest.raises(InputError, match="disease"):
        evidence_rows(loaded[1], "why_diagnosis", {})


def test_link_of_a_text_gives_offsets_into_it(loaded: tuple[Path, str, str], tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("Pyrexia since Monday. Denies fever.", encoding="utf-8")
    rows = link_free_text(str(note), loaded[0])
    assert [(row["text"], row["name"], row["negated"]) for row in rows] == [
        ("Pyrexia", "Fever", False),
        ("fever", "Fever", True),
    ]
    with pytest.raises(InputError, match="no such file"):
        link_free_text(str(tmp_path / "absent.txt"), loaded[0])
    note.write_bytes(b"\xff\xfe\x00 fever")
    with pytest.raises(InputError, match="UTF-8"):
        link_free_text(str(note), loaded[0])


def test_a_bundle_is_sound_and_equal_to_itself(loaded: tuple[Path, str, str]) -> None:
    assert problems_of(loaded[0]) == []
    assert diff_bundles(loaded[0], loaded[0]) == ([], [])


def test_an_unknown_store_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="scheme"):
        build_and_load(["nosuch"], tmp_path / "graph", ["mysql://x"])
    assert not (tmp_path / "graph").exists()

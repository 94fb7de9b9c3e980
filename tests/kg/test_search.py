from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kg.bundle import Bundle
from kg.search import edit_distance, search_concepts, words_of
from tests.kg.tiny_sources import build_tiny


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    _, path, _ = build_tiny(tmp_path_factory.mktemp("search"))
    return Bundle.open(path)


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("fever", "HP:0001945"),
        ("FEVERS", "HP:0001945"),
        ("fevre", "HP:0001945"),
        ("pyrexa", "HP:0001945"),
        ("burning", "HP:0001945"),
        ("metfromin", "RXNORM:6809"),
        ("glucoph", "RXNORM:6809"),
        ("acute kidny failure", "ICD10CM:N17"),
        ("failure kidney acute", "ICD10CM:N17"),
        ("hp:0001945", "HP:0001945"),
        ("N17.9", "ICD10CM:N17.9"),
        ("n179", "ICD10CM:N17.9"),
        ("lactat", "LOINC:32693-4"),
    ],
)
def test_the_right_concept_comes_first(bundle: Bundle, words: str, first: str) -> None:
    assert search_concepts(bundle, words)[0].id == first


def test_exact_names_score_one_and_others_less(bundle: Bundle) -> None:
    hits = search_concepts(bundle, "fever", 50)
    assert hits[0].score == 1.0
    assert all(hit.score < 1.0 for hit in hits[1:])
    assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)
    assert len({h.id for h in hits}) == len(hits)


def test_obsolete_concepts_come_after_live_ones(bundle: Bundle) -> None:
    hits = {hit.id: hit.score for hit in search_concepts(bundle, "old fever")}
    assert hits["HP:0000100"] < 1.0, "an exact name, but obsolete"
    assert search_concepts(bundle, "fever")[0].id == "HP:0001945"


@pytest.mark.parametrize("words", ["", "   ", "?!", "qqqqqqqqqqqq", "\x00"])
def test_nothing_found_is_no_error(bundle: Bundle, words: str) -> None:
    assert search_concepts(bundle, words) == []


@given(words=st.text(max_size=30), limit=st.integers(0, 5))
def test_any_words_can_be_asked(bundle: Bundle, words: str, limit: int) -> None:
    hits = search_concepts(bundle, words, limit)
    assert len(hits) <= limit
    assert all(0.0 < hit.score <= 1.0 for hit in hits)


def test_words() -> None:
    assert words_of("Sjögren’s SYNDROMES, type-2") == ["sjogren", "s", "syndrome", "type", "2"]


short = st.text("abcd", max_size=7)


@given(short, short, short)
def test_edit_distance_is_a_distance(a: str, b: str, c: str) -> None:
    assert (edit_distance(a, b, 9) == 0) == (a == b)
    assert edit_distance(a, b, 9) == edit_distance(b, a, 9)
    assert edit_distance(a, b, 9) <= max(len(a), len(b))
    assert edit_distance(a, b, 1) == min(edit_distance(a, b, 9), 2)
    assert edit_distance(a + c, b + c, 9) <= edit_distance(a, b, 9)


def test_swapped_letters_are_one_edit() -> None:
    assert edit_distance("fever", "fevre", 2) == 1

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ehr.errors import InputError
from kg.bundle import Bundle
from kg.search import edit_distance, search_concepts, words_of
from kg.show import show
from kg.stats import stats
from kg.vocabulary import Predicate
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


def test_show_gives_both_directions_with_evidence(bundle: Bundle) -> None:
    view = show(bundle, "ccs:2")
    assert (view.concept.id, view.asked) == ("CCS:2", "ccs:2")
    branches = {(b.predicate, b.outgoing): b for b in view.branches}
    fever = branches[Predicate.HAS_PHENOTYPE, True].neighbours[0]
    assert (fever.id, fever.name, fever.weight, fever.checked) == ("HP:0001945", "Fever", 0.8, True)
    assert fever.publications == ("https://example.org/sepsis",)
    other = branches[Predicate.DIFFERENTIAL_WITH, False].neighbours[0]
    assert (other.id, other.checked) == ("CCS:122", False)
    rows = view.rows()
    assert rows[0]["id"] == "CCS:2"
    assert {row["level"] for row in rows} == {0, 1, 2}


def test_show_follows_former_ids_and_limits(bundle: Bundle) -> None:
    assert show(bundle, "HP:0009999").concept.id == "HP:0001945"
    view = show(bundle, "HP:0000118", limit=1)
    branch = view.branches[-1]
    assert (len(branch.neighbours), branch.total) == (1, 2)
    assert any(row["name"] == "… 1 more" for row in view.rows())


def test_show_of_nothing_says_what_is_near(bundle: Bundle) -> None:
    with pytest.raises(InputError, match=r"no concept 'fevre' .* did you mean HP:0001945 \(Fever\)"):
        show(bundle, "fevre")
    with pytest.raises(InputError, match="find ids with"):
        show(bundle, "QQ:999999999")


def test_stats_count_and_say_how_much_was_checked(bundle: Bundle) -> None:
    counted = stats(bundle)
    assert counted.concepts["hpo", "PhenotypicFeature"] == 4
    assert counted.statements["hpoa", "HAS_PHENOTYPE"] == 3
    assert [(c.source, c.checked, c.total) for c in counted.checked] == [("bridge", 1, 4), ("all", 1, 4)]
    assert counted.checked[-1].share == 0.25
    shares = [row for row in counted.rows() if row["what"] == "citations opened"]
    assert [row["share"] for row in shares] == [0.25, 0.25]

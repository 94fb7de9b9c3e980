"""What a text says, and how it says it."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kg.bundle import Bundle
from kg.link import link_text
from kg.link.match import one_edit_apart
from kg.link.names import compile_names, load_names, variants_of
from kg.link.words import cut, normal_name, normal_word

FLAGS = ("negated", "historical", "hypothetical", "family")


def said(text: str, bundle: Bundle, section: str | None = None) -> list[tuple[str, str, str]]:
    """Give (words, concept, flags) of each mention."""
    found = []
    for m in link_text(text, bundle, section=section):
        flags = " ".join(flag for flag in FLAGS if getattr(m, flag))
        found.append((text[m.start : m.end], m.concept, flags))
    return found


@pytest.mark.parametrize(
    ("text", "words", "concept"),
    [
        ("Dry cough at night", "Dry cough", "HP:0031246"),
        ("non-productive cough", "non-productive cough", "HP:0031246"),
        ("with oedema", "oedema", "HP:0000969"),
        ("pain in the abdomen", "pain in the abdomen", "HP:0002027"),
        ("fevers", "fevers", "HP:0001945"),
        ("was hypotensive", "hypotensive", "HP:0002615"),
        ("creatinine elevated", "creatinine elevated", "HP:0003259"),
        ("high creatinine level", "high creatinine level", "HP:0003259"),
        ("dyspena", "dyspena", "HP:0002094"),
        ("tachycadria", "tachycadria", "HP:0001649"),
        ("She came by ambulance since she was short of\nbreath", "short of\nbreath", "HP:0002094"),
        ("SOB", "SOB", "HP:0002094"),
        ("prior MI noted", "MI", "HP:0001658"),
        ("takes Glucophage", "Glucophage", "RXNORM:6809"),
        ("smoker", "smoker", "CRG:tobacco_use"),
        ("a lung infection", "lung infection", "CCS:122"),
        ("pneumonia", "pneumonia", "HP:0002090"),
    ],
)
def test_names_variants_and_misspellings(text: str, words: str, concept: str, bundle: Bundle) -> None:
    assert [(w, c) for w, c, _ in said(text, bundle)] == [(words, concept)]


@pytest.mark.parametrize(
    "text",
    [
        "she sobbed, sob",  # an abbreviation counts in capitals only
        "Marfan syndrome",  # a rare disease
        "hypertenzionx",  # two slips
        "inherited",  # no phenotypic abnormality
        "BSP",  # a short abbreviation of the ontology, many meanings elsewhere
        "abcde",
        "feverish",
        "couch",  # five letters: too short to be a slip
        "",
        "\n\n",
    ],
)
def test_what_is_not_a_mention(text: str, bundle: Bundle) -> None:
    assert said(text, bundle) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("T 102.6 HR 118 BP 117/72", [("T 102.6", "HP:0001945"), ("HR 118", "HP:0001649")]),
        ("temperature was 36.9, BP 82/40", [("BP 82", "HP:0002615")]),
        ("blood pressure of 190 over 100", [("blood pressure of 190", "HP:0000822")]),
        ("T 4 N 1, t 102, HR 1180, 118 HR, ef 60%", []),
        ("high blood pressure 190", [("high blood pressure", "HP:0000822")]),
        ("HR 118.", [("HR 118", "HP:0001649")]),
    ],
)
def test_abnormal_numbers(text: str, found: list[tuple[str, str]], bundle: Bundle) -> None:
    assert [(w, c) for w, c, _ in said(text, bundle)] == found


@pytest.mark.parametrize("text", ["pain", "chest. pain", "chest, pain"])
def test_a_pain_without_a_site_is_pain(text: str, bundle: Bundle) -> None:
    assert said(text, bundle) == [("pain", "HP:0012531", "")]


def test_longest_name_wins_and_names_do_not_overlap(bundle: Bundle) -> None:
    assert said("exertional dyspnea", bundle) == [("exertional dyspnea", "HP:0002875", "")]


def test_coordination_shares_a_head_and_makes_two_mentions(bundle: Bundle) -> None:
    assert [c for _, c, _ in said("chest and abdominal pain", bundle)] == ["HP:0100749", "HP:0002027"]
    assert [c for _, c, _ in said("nausea and vomiting", bundle)] == ["HP:0002018", "HP:0002013"]


def test_a_name_inside_a_service_or_drug_is_none(bundle: Bundle) -> None:
    assert said("diabetes education was given", bundle) == []
    assert said("diabetes", bundle) == [("diabetes", "HP:0000819", "")]


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("No chest pain but has fever.", ["negated", ""]),
        ("No fever, chills, or cough.", ["negated"] * 3),
        ("Denies fever, chills and cough. Chest pain.", ["negated"] * 3 + [""]),
        ("no fever; cough", ["negated", ""]),
        ("Without fever or edema", ["negated", "negated"]),
        ("Fever is denied.", ["negated"]),
        ("Fever was not present, cough was.", ["negated", ""]),
        ("No fever, pedal edema present.", ["negated", ""]),
        ("no fever, 2+ edema", ["negated", ""]),
        ("Negative for nausea, positive for cough.", ["negated", ""]),
        ("Edema absent, cough.", ["negated", ""]),
        ("No increase in cough.", [""]),
        ("History of stroke.", ["historical"]),
        ("History of hypertension.", [""]),
        ("h/o MI and HTN, now cough", ["historical", "", ""]),
        ("no history of stroke", ["negated historical"]),
        ("Cough has resolved.", ["historical"]),
        ("Hypertension, resolved.", ["historical"]),
        ("Stroke five years ago.", ["historical"]),
        ("Return if fever or cough.", ["hypothetical", "hypothetical"]),
        ("Possible pneumonia.", ["hypothetical"]),
        ("rule out stroke", ["hypothetical"]),
        ("Mother had a stroke.", ["family"]),
        ("Mother had a stroke, the patient has a cough.", ["family", ""]),
        ("Stroke in his father.", ["family"]),
        ("Mother reports fever.", [""]),
        ("The patient does not have fever, however cough", ["negated", ""]),
    ],
)
def test_context(text: str, flags: list[str], bundle: Bundle) -> None:
    assert [f for _, _, f in said(text, bundle)] == flags


def test_a_section_colours_its_mentions(bundle: Bundle) -> None:
    assert said("Stroke, diabetes", bundle, "family_history") == [
        ("Stroke", "HP:0001297", "family"),
        ("diabetes", "HP:0000819", "family"),
    ]
    assert said("Stroke\nHypertension", bundle, "past_medical_history") == [
        ("Stroke", "HP:0001297", "historical"),
        ("Hypertension", "HP:0000822", ""),
    ]


def test_a_wrapped_line_goes_on_and_a_list_item_does_not(bundle: Bundle) -> None:
    wrapped = "The patient, who was brought in by ambulance tonight, denies having any\nfever or cough."
    assert [f for _, _, f in said(wrapped, bundle)] == ["negated", "negated"]
    assert [f for _, _, f in said("- no fever\n- cough", bundle)] == ["negated", ""]
    assert [f for _, _, f in said("weight 39.5 no fever. Cough", bundle)] == ["negated", ""]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=200))
def test_any_text_gives_ordered_spans_inside_it(bundle: Bundle, text: str) -> None:
    last = 0
    for mention in link_text(text + " no fever", bundle):
        assert last <= mention.start < mention.end <= len(text) + 9
        last = mention.end
    assert last == len(text) + 9 or "fever" in text.lower() or text.rstrip()[-1:].isalnum() or last > 0


@given(st.text(alphabet="abcdeé 'ñ-.\n", max_size=80))
def test_tokens_tile_the_text_and_sentences_the_tokens(text: str) -> None:
    words = cut(text)
    assert all(text[s:e].lower() == w for s, e, w in zip(words.starts, words.ends, words.lower, strict=True))
    assert [i for low, high in words.sentences for i in range(low, high)] == list(range(len(words.lower)))


@given(st.text(alphabet="abcdefgh", min_size=1, max_size=9), st.data())
def test_every_single_edit_is_found_and_no_double_one(word: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(word) - 1))
    assert one_edit_apart(word, word[:at] + word[at + 1 :])
    assert one_edit_apart(word, word[:at] + "x" + word[at:])
    assert one_edit_apart(word, word[:at] + "x" + word[at + 1 :])
    assert not one_edit_apart(word, word[:at] + "xx" + word[at:])


def test_normal_forms_are_stable() -> None:
    for word in ("Oedemas", "diagnoses", "wheezes", "ascites", "metastases", "Sjögren’s", "biopsies", "pus"):
        assert normal_word(normal_word(word)) == normal_word(word)
    assert normal_name("Non-productive cough") == normal_name("nonproductive coughs")
    assert "pain in chest" in set(variants_of("chest pain"))


def test_names_are_cached_and_the_cache_equals_the_compilation(bundle: Bundle) -> None:
    first, words = load_names(bundle)
    kept = sorted(bundle.path.glob("index/*.parquet"))
    assert len(kept) == 2
    assert load_names(bundle) == (first, words) and first == compile_names(bundle)
    keys = [name.key for name in first]
    assert keys == sorted(set(keys)), "one concept a phrase"
    assert pl.read_parquet(kept[0]).height == len(first)

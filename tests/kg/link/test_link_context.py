"""Context beyond a sentence's triggers: times in the past, what passes and what lasts, what was called gone before."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kg.bundle import Bundle
from kg.link import link_text
from kg.link.context_terms import kind_of

FLAGS = ("negated", "historical", "hypothetical", "family")


def flags(text: str, bundle: Bundle) -> list[str]:
    return [" ".join(flag for flag in FLAGS if getattr(m, flag)) for m in link_text(text, bundle)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("In 1996 he was hospitalized with a heart attack.", ["historical"]),
        ("He had a stroke. This was in 2005.", ["historical"]),
        ("At the age of 14 she had pneumonia.", ["historical"]),
        ("Diabetes was found in 1996.", [""]),
        ("Fever began three years ago and continues.", [""]),
        ("Stroke three years ago leaving him with edema.", ["historical", ""]),
        ("On 3/4/2019 she had a stroke, today cough.", ["historical", ""]),
        ("He has had hypertension since 1998.", [""]),
        ("Previous stroke, cough.", ["historical", ""]),
        ("Her previous clinic visit was for fever.", [""]),
        ("She denies having had fever before. Cough today.", ["negated historical", ""]),
        ("A two-year history of cough.", [""]),
        ("History of chronic chest pain.", [""]),
        ("No prior history of pneumonia or stroke.", ["negated historical", "negated historical"]),
        ("Initially she had fever; now she has a cough.", ["historical", ""]),
        ("She no longer has any nausea.", ["historical"]),
        ("Father has a history of stroke.", ["family"]),
        ("She has had a stroke and pain from her stroke.", ["historical", "", "historical"]),
        ("Follow-up after a heart attack.", ["historical"]),
        ("Past medical history: newly diagnosed pneumonia, stroke", ["", "historical"]),
        ("In 11/92 he had an episode of nausea, now cough.", ["historical", ""]),
        ("She denies any more nausea.", ["historical"]),
        ("History of pain. Previous pain.", ["", "historical"]),
        ("History of recurrent pneumonia, stroke.", ["", "historical"]),
        ("Status post repair of chest pain, cough.", ["", ""]),
        ("She used to cough at night, now fever.", ["historical", ""]),
        ("Cough, stroke several years before on the right, nausea, which is present.", ["", "historical", ""]),
    ],
)
def test_times(text: str, expected: list[str], bundle: Bundle) -> None:
    assert flags(text, bundle) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The cough has resolved. The cough was bad.", ["historical", "historical"]),
        ("Cough for two days. The cough has resolved.", ["", "historical"]),
        ("The cough has resolved. The cough returned today.", ["historical", ""]),
        ("Chest pain for a day. The pain has resolved. The chest pain was sharp.", ["", "historical", "historical"]),
        ("The cough has resolved. Fever.", ["historical", ""]),
        ("The cough has resolved. Call if cough or fever.", ["historical", "hypothetical", "hypothetical"]),
    ],
)
def test_what_was_called_gone_stays_past(text: str, expected: list[str], bundle: Bundle) -> None:
    assert flags(text, bundle) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mother denies fever, chills or cough.", ["negated"] * 3),
        ("He denies fever, new cough, or nausea.", ["negated"] * 3),
        ("No fever, chronic cough.", ["negated", ""]),
        ("No other symptoms except for cough.", [""]),
        ("No edema is noted.", ["negated"]),
        ("No fever, cough or edema was seen.", ["negated"] * 3),
        ("Negative fever, negative cough.", ["negated", "negated"]),
        ("Negative stress test, chest pain.", [""]),
        ("He is fever free.", ["negated"]),
        ("No treatment was given and the cough went on.", [""]),
        ("He denies, however, any cough.", ["negated"]),
        ("The mother has described a cough. No one else has fever.", ["", "negated family"]),
        ("He denies pain, just nausea.", ["negated", ""]),
        ("To evaluate for causes of nausea or fever.", ["", ""]),
        ("Possible heart attack, ?stroke.", ["hypothetical", "hypothetical"]),
        ("Is there fever? Cough.", ["", ""]),
        ("If he would have a fever of 101.4, chills or cough, call.", ["hypothetical"] * 3),
        ("All risks were discussed, which include, but are not limited to pneumonia, stroke.", ["hypothetical"] * 2),
    ],
)
def test_lists_doubts_and_words_of_others(text: str, expected: list[str], bundle: Bundle) -> None:
    assert flags(text, bundle) == expected


TEXT = """no not denies history of previous before has had resolved ago years three in 1996 , . ; ? but and or father if
cough fever stroke pain the this was initially now negative is noted"""
WORDS = TEXT.split()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Father died of a stroke. Siblings are well. Negative for diabetes or fever.",
            ["family", "negated family", "negated family"],
        ),
        ("Father had a stroke. His mother is well. The patient has fever.", ["family", ""]),
        ("Father had a stroke. His mother is well. He has fever.", ["family", ""]),
        ("Significant for stroke. Father had fever. Mother is well.", ["family", "family"]),
        ("Father had a stroke. His mother is well.\n\nFever and cough.", ["family", "", ""]),
        ("Cough for a week. Fever. Pain. Father had a stroke.", ["", "", "", "family"]),
        ("Mother reports fever. Father says that he has a cough. Chest pain.", ["", "", ""]),
    ],
)
def test_a_passage_about_relatives_goes_on(text: str, expected: list[str], bundle: Bundle) -> None:
    assert flags(text, bundle) == expected


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.sampled_from(WORDS), max_size=30), follow=st.sampled_from(["", " Chills."]))
def test_a_sentence_that_names_nothing_gone_leaves_what_comes_after_alone(
    words: list[str], follow: str, bundle: Bundle
) -> None:
    text = " ".join(words) + ". Cough."
    found = link_text(text + follow, bundle)
    assert link_text(text, bundle) == found[: len(found) - bool(follow)]
    assert not follow or found[-1].concept == "HP:0025143"
    assert not any(m.family and m.historical for m in found)


def test_kinds_of_tokens() -> None:
    kinds = {"1998": "#year", "2100": "#number", "12": "#number", "seven": "#number", "mastectomy": "#removal"}
    assert {token: kind_of(token) for token in kinds} == kinds
    assert [kind_of(token) for token in ("anatomy", "evaluation", "ago")] == ["anatomy", "evaluation", "ago"]

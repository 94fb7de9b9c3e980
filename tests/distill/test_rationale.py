from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.rationale import canonical, format_target, named_diseases, parse_output
from distill.types import Rationale, RationaleSentence

BLEEDING = "gastrointestinal hemorrhage"
NAMES = {
    "CCS:153": BLEEDING,
    "CCS:157": "acute and unspecified renal failure",
    "CCS:249": "shock",
    "CCS:131": "respiratory failure, insufficiency, arrest",
    "CCS:130": "pleurisy, pneumothorax, pulmonary collapse",
    "CCS:108": "congestive heart failure, nonhypertensive",
}

BLEED = Rationale(
    diseases=("CCS:153", "CCS:131"),
    sentences=(
        RationaleSentence("note", "Melena points to gastrointestinal hemorrhage.", ("HP:1",), ("S1",), "CCS:153"),
        RationaleSentence(
            "lab", f"Low hemoglobin (6.1 g/dL at hour 2) fits {BLEEDING}.", ("HP:2",), ("S2",), "CCS:153"
        ),
    ),
)

sentence_texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=60)
sentences = st.builds(RationaleSentence, part=st.sampled_from(["note", "lab"]), text=sentence_texts)
rationales = st.builds(
    Rationale,
    diseases=st.lists(st.sampled_from(sorted(NAMES)), unique=True).map(tuple),
    sentences=st.lists(sentences, max_size=6).map(tuple),
)


def texts(rationale: Rationale) -> list[tuple[str, str]]:
    return [(sentence.part, sentence.text) for sentence in rationale.sentences]


def test_the_target_has_the_form_of_the_paper() -> None:
    assert format_target(BLEED, NAMES) == (
        "### Rationale: Melena points to gastrointestinal hemorrhage. "
        "### Lab: Low hemoglobin fits gastrointestinal hemorrhage. "
        "### Disease Diagnosed: gastrointestinal hemorrhage; respiratory failure, insufficiency, arrest."
    )


def test_diagnosis_first_and_one_part() -> None:
    text = format_target(BLEED, NAMES, order="diagnosis_first", parts=("lab",), values=True)
    assert text == (
        "### Disease Diagnosed: gastrointestinal hemorrhage; respiratory failure, insufficiency, arrest. "
        "### Lab: Low hemoglobin (6.1 g/dL at hour 2) fits gastrointestinal hemorrhage."
    )
    assert parse_output(text, NAMES).well_formed


@given(rationales, st.sampled_from(["rationale_first", "diagnosis_first"]))
def test_what_is_written_is_read_back(rationale: Rationale, order: str) -> None:
    text = format_target(rationale, NAMES, order=order, values=True, max_words=None)  # type: ignore[arg-type]
    parsed = parse_output(text, NAMES)
    expected = canonical(rationale)
    assert parsed.diseases == expected.diseases
    assert texts(parsed) == texts(expected)
    assert (parsed.unknown, parsed.repeated, parsed.well_formed) == ((), 0, True)


@given(rationales, st.integers(0, 80))
def test_a_limit_leaves_out_whole_sentences_and_no_disease(rationale: Rationale, limit: int) -> None:
    text = format_target(rationale, NAMES, values=True, max_words=limit)
    parsed = parse_output(text, NAMES)
    assert parsed.diseases == rationale.diseases
    whole = texts(canonical(rationale))
    assert all(pair in whole for pair in texts(parsed))
    shortest = format_target(rationale, NAMES, max_words=0)
    assert len(text.split()) <= max(limit, len(shortest.split()))


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    parsed = parse_output(text, NAMES)
    assert set(parsed.diseases) <= set(NAMES)
    again = parse_output(format_target(parsed, NAMES, values=True, max_words=None), NAMES)
    assert (again.diseases, texts(again)) == (parsed.diseases, texts(parsed))


@given(st.text("#RationleLbDsgd: .;,\n", max_size=120))
def test_text_full_of_headings_is_read(text: str) -> None:
    parse_output("### Disease Diagnosed: " + text, NAMES)


def test_unknown_names_are_kept_and_counted() -> None:
    parsed = parse_output("### Disease Diagnosed: shock; gout; septic shok; Shock.", NAMES)
    assert parsed.diseases == ("CCS:249",)
    assert parsed.unknown == ("gout", "septic shok")
    assert parsed.repeated == 1


def test_nothing_near_a_name_is_taken_for_it() -> None:
    parsed = parse_output("### Disease Diagnosed: gastrointestinal hemorrhages; respiratory failure.", NAMES)
    assert parsed.diseases == ()
    assert parsed.unknown == ("gastrointestinal hemorrhages", "respiratory failure")


@pytest.mark.parametrize(
    "listed",
    [
        "### Disease Diagnosed: Pleurisy, pneumothorax, pulmonary collapse, Shock, {failure}.",
        "# # # disease diagnosed : pleurisy , pneumothorax , pulmonary collapse ; shock ; and {failure}",
        "### Diseases diagnosed:\npleurisy, pneumothorax, pulmonary collapse\nshock\n{failure}",
    ],
)
def test_loose_lists_are_read(listed: str) -> None:
    assert parse_output(listed.format(failure=NAMES["CCS:108"]), NAMES).diseases == ("CCS:130", "CCS:249", "CCS:108")


def test_text_cut_off_is_not_well_formed() -> None:
    parsed = parse_output(
        "### Rationale: Melena points to bleeding. ### Disease Diagnosed: shock; acute and unspec", NAMES
    )
    assert parsed.diseases == ("CCS:249",)
    assert parsed.unknown == ("acute and unspec",)
    assert not parsed.well_formed


def test_a_sentence_gets_the_disease_that_it_names() -> None:
    parsed = parse_output("### Rationale: Pallor fits shock. Melena fits shock and gastrointestinal hemorrhage.", NAMES)
    assert [sentence.disease for sentence in parsed.sentences] == ["CCS:249", None]
    assert named_diseases("SHOCK; then respiratory failure, insufficiency, arrest", NAMES) == ("CCS:249", "CCS:131")


def test_no_disease_is_written_as_none() -> None:
    text = format_target(Rationale((), ()), NAMES)
    assert text == "### Disease Diagnosed: none."
    assert parse_output(text, NAMES).diseases == ()


def test_both_parts_and_every_disease_share_the_room() -> None:
    rationale = Rationale(
        diseases=("CCS:153", "CCS:249"),
        sentences=tuple(
            RationaleSentence(part, f"{part} reason {n} for {NAMES[d]}.", ("HP:1",), ("S1",), d)
            for part in ("note", "lab")
            for d in ("CCS:153", "CCS:249")
            for n in range(3)
        ),
    )
    parsed = parse_output(format_target(rationale, NAMES, max_words=36), NAMES)
    assert {(s.part, s.disease) for s in parsed.sentences} == {
        (part, disease) for part in ("note", "lab") for disease in rationale.diseases
    }


def test_a_label_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="CCS:999"):
        format_target(Rationale(("CCS:999",), ()), NAMES)
    with pytest.raises(ValueError, match="same name"):
        parse_output("", {"A:1": "Shock", "A:2": "shock."})

"""Notes: sections, words by split, nothing that names a diagnosis, what is denied is not shown."""

import re
from pathlib import Path

import polars as pl
import pytest

from ehr.sections import cut_sections
from ehr.simulator.tables import load_tables

SECTIONS = {
    "chief_complaint",
    "history_of_present_illness",
    "past_medical_history",
    "social_history",
    "family_history",
    "medications_on_admission",
    "physical_exam",
}


def tokens(text: str) -> str:
    return f" {' '.join(re.findall(r'[a-z0-9+%]+', text.lower()))} "


def test_sections_are_found_by_the_reader(notes: pl.DataFrame) -> None:
    for text in notes["text"].head(150):
        found = cut_sections(text)
        assert set(found) == SECTIONS
        assert "Brief Hospital Course" not in "".join(found.values())


def naming() -> re.Pattern[str]:
    """Give the pattern of diagnoses' names and usual abbreviations."""
    names = {name for disease in load_tables().diseases for name in (disease.name, *disease.names)}
    long = sorted(re.escape(name) for name in names if not name.isupper())
    # Short abbreviations are words of English in small letters ("cap", "mi"), so they count in capitals alone.
    short = sorted(re.escape(name) for name in names if name.isupper())
    return re.compile(rf"\b(?:(?i:{'|'.join(long)})|{'|'.join(short)})\b")


def test_no_diagnosis_is_named_in_what_a_model_sees(notes: pl.DataFrame) -> None:
    pattern = naming()
    assert pattern.search("Past: COPD, essential Hypertension")
    for text in notes["visible"]:
        assert not (hit := pattern.search(" ".join(text.split()))), hit


def test_no_words_of_the_tables_name_a_diagnosis() -> None:
    tables = load_tables()

    def texts(value: object) -> list[str]:
        if isinstance(value, str):
            return [value]
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        return [text for part in parts for text in texts(part)]

    words = texts(tables.words)
    words += [text for finding in tables.findings for text in (*finding.train, *finding.held_out)]
    words += [drug.name for drug in tables.home_drugs]
    pattern = naming()
    assert len(words) > 1000
    assert not [text for text in words if pattern.search(text)]


def test_every_finding_has_words_of_both_kinds() -> None:
    for finding in load_tables().findings:
        assert len(set(finding.train)) >= 3, finding.key
        assert len(set(finding.held_out)) >= 2, finding.key


def test_held_out_words_are_part_of_no_training_words() -> None:
    findings = load_tables().findings
    train = [(finding.key, tokens(text)) for finding in findings for text in finding.train]
    for finding in findings:
        for text in finding.held_out:
            assert not [other for other in train if tokens(text) in other[1]], text
            assert not [own for own in finding.train if tokens(own) in tokens(text)], text


def test_held_out_words_never_stand_in_another_split(notes: pl.DataFrame) -> None:
    held_out = [tokens(text) for finding in load_tables().findings for text in finding.held_out]
    for text in notes.filter(pl.col("split") != "test_words")["text"]:
        whole = tokens(text)
        assert not [words for words in held_out if words in whole]


def test_only_held_out_words_stand_in_test_words(notes: pl.DataFrame, truth: pl.DataFrame) -> None:
    findings = {finding.key.replace("_", " "): finding for finding in load_tables().findings}
    shown = truth.filter(pl.col("split") == "test_words").join(notes.select("hadm_id", "visible"), on="hadm_id")
    assert shown.height > 30
    said = total = 0
    for row in shown.iter_rows(named=True):
        text = tokens(row["visible"])
        for unit in row["shown"]:
            if unit["kind"] == "finding":
                finding = findings[unit["name"]]
                total += 1
                said += any(tokens(words) in text for words in finding.held_out)
    assert total > 200
    # Misspellings change a few words.
    assert said / total > 0.95


def test_what_is_shown_is_said(notes: pl.DataFrame, truth: pl.DataFrame) -> None:
    findings = {finding.key.replace("_", " "): finding for finding in load_tables().findings}
    said = total = 0
    for row in truth.filter(pl.col("split") == "train").join(notes, on="hadm_id").head(100).iter_rows(named=True):
        text = tokens(row["visible"])
        for unit in row["shown"]:
            if unit["kind"] == "finding":
                total += 1
                said += any(tokens(words) in text for words in findings[unit["name"]].train)
    assert said / total > 0.95


@pytest.mark.parametrize(
    "words", ["denies", "resolved", "mother with", "w/", "CXR|Chest film", "no sick contacts|cane"]
)
def test_notes_have_mentions_of_every_kind(notes: pl.DataFrame, words: str) -> None:
    assert notes["visible"].str.to_lowercase().str.contains(words.lower()).any()


def test_home_drugs_stand_in_the_list(notes: pl.DataFrame, truth: pl.DataFrame) -> None:
    for row in truth.join(notes.select("hadm_id", "text"), on="hadm_id").head(80).iter_rows(named=True):
        section = cut_sections(row["text"])["medications_on_admission"].lower()
        drugs = [unit["name"] for unit in row["shown"] if unit["kind"] == "drug"]
        assert all(drug.lower() in section for drug in drugs)
        assert section.count("\n") + 1 >= len(drugs)


def test_notes_carry_no_date_or_name(hospital: Path) -> None:
    notes = pl.read_csv(hospital / "note" / "discharge.csv.gz")
    assert notes["text"].str.contains("___").all()
    assert not notes["text"].str.contains(r"\b2[01]\d\d-\d\d").any()

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ehr.sections import SECTIONS, cut_sections, heading_section, unwrap

NOTE = """
Name:  ___                     Unit No:   ___

Admission Date:  ___              Discharge Date:   ___

Sex:   F
Service: MEDICINE

Allergies:
Penicillins

Chief Complaint:
shortness of breath

Major Surgical or Invasive Procedure:
Central line placement

History of Present Illness:
___ year old woman with two days of
worsening dyspnea. No chest
pain.

In the ED, initial vitals: 98.6 110 85/40.

Past Medical History:
1. Diabetes
2. Hypertension

Social History:
Retired.
Family History:
Mother with CAD.

Physical Exam:
ADMISSION PHYSICAL EXAM:
VS: 98.6 110 85/40
LUNGS: crackles at both bases

DISCHARGE PHYSICAL EXAM:
LUNGS: clear

Pertinent Results:
WBC-15

Brief Hospital Course:
# Septic shock: treated.

Medications on Admission:
1. Lisinopril 10 mg PO DAILY
2. MetFORMIN (Glucophage) 1000 mg PO BID

Discharge Medications:
1. Cefpodoxime 200 mg PO Q12H

Discharge Disposition:
Home

Discharge Diagnosis:
Septic shock
Acute kidney injury

Discharge Condition:
Stable.

Discharge Instructions:
You came with an infection of the blood.

Followup Instructions:
___
"""


def test_sections_known_before_discharge() -> None:
    found = cut_sections(NOTE)
    assert list(found) == [
        "chief_complaint",
        "history_of_present_illness",
        "past_medical_history",
        "family_history",
        "social_history",
        "medications_on_admission",
        "physical_exam",
    ]
    assert found["chief_complaint"] == "shortness of breath"
    assert found["history_of_present_illness"] == (
        "___ year old woman with two days of worsening dyspnea. No chest pain.\n"
        "In the ED, initial vitals: 98.6 110 85/40."
    )
    assert found["past_medical_history"] == "1. Diabetes\n2. Hypertension"
    assert "crackles" in found["physical_exam"] and "clear" not in found["physical_exam"]


@pytest.mark.parametrize("policy", ["admission", "paper"])
def test_nothing_coded_or_written_at_discharge_is_kept(policy) -> None:  # type: ignore[no-untyped-def]
    text = "\n".join(cut_sections(NOTE, policy).values())
    for leaked in ("Acute kidney injury", "infection of the blood", "Cefpodoxime", "WBC-15", "Penicillins"):
        assert leaked not in text
    assert ("Septic shock" in text) == (policy == "paper")


@pytest.mark.parametrize(
    ("line", "section"),
    [
        ("HISTORY OF PRESENT ILLNESS:", "history_of_present_illness"),
        ("  HPI: cough", "history_of_present_illness"),
        ("PMHx:", "past_medical_history"),
        ("PAST  MEDICAL   HISTORY", "past_medical_history"),
        ("**Medications on Admission**:", "medications_on_admission"),
        ("Home Medications:", "medications_on_admission"),
        ("Physical Exam", "physical_exam"),
    ],
)
def test_spellings_of_headings(line: str, section: str) -> None:
    body = "" if ": " in line.strip() else "\ncough"
    assert cut_sections(f"Service: MED\n{line}{body}\n") == {section: "cough"}


@pytest.mark.parametrize(
    "heading", ["Exam on discharge", "Discharge labs", "DISCHARGE DIAGNOSES", "Weight at discharge", "D/C exam"]
)
def test_whatever_speaks_of_discharge_ends_a_section(heading: str) -> None:
    assert cut_sections(f"Physical Exam:\nwarm\n{heading}:\nsecret\n") == {"physical_exam": "warm"}


def test_sentences_with_colons_are_no_headings() -> None:
    text = "HPI:\nThe patient said the following: it hurts.\nLabs: WBC 12. Sent home in May.\n"
    found = cut_sections(text)["history_of_present_illness"]
    assert "it hurts" in found and "WBC 12" in found
    assert heading_section("The patient said the following") == (False, None)


def test_a_problem_named_like_an_abbreviation_is_no_heading() -> None:
    assert "warfarin" in cut_sections("PMH:\nDVT: 2010\nPE: on warfarin\n")["past_medical_history"]


def test_repeated_section_and_empty_note() -> None:
    assert cut_sections("CC:\nfever\nHPI:\n\nCC:\ncough\n") == {"chief_complaint": "fever\ncough"}
    assert cut_sections("") == {}
    assert cut_sections("no heading at all, just words\nand more") == {}


def test_unwrap() -> None:
    assert unwrap("a\nb\n\nc\n- d\n  e\n1. f\n====\ng") == "a b\nc\n- d e\n1. f\ng"
    assert unwrap("atrial\nfibrillation") == "atrial fibrillation"


@given(st.text(max_size=400))
def test_any_text_is_cut_without_error(text: str) -> None:
    found = cut_sections(text, "paper")
    assert set(found) <= set(SECTIONS)
    assert all(part.strip() == part and part for part in found.values())


@given(st.lists(st.sampled_from(["fever", "Discharge Diagnosis:", "HPI:", "PMH:", "", "No cough."]), max_size=12))
def test_what_follows_a_discharge_diagnosis_is_never_kept(lines: list[str]) -> None:
    marked, inside = [], False
    for line in lines:
        inside = line == "Discharge Diagnosis:" or (inside and line not in {"HPI:", "PMH:"})
        marked.append("secret" if inside and not line.endswith(":") else line)
    assert "secret" not in "".join(cut_sections("\n".join(marked), "paper").values())


@pytest.mark.parametrize(
    "heading",
    [
        "CONCISE SUMMARY OF HOSPITAL COURSE BY SYSTEM",
        "HOSPITAL COURSE BY ISSUES",
        "LABORATORY DATA ON ADMISSION",
        "PERTINENT LABORATORIES",
        "ASSESSMENT AND PLAN",
        "IMPRESSION",
        "RADIOLOGIC STUDIES",
        "ADMITTING DIAGNOSES",
    ],
)
def test_dictated_headings_end_what_is_kept(heading: str) -> None:
    text = f"PHYSICAL EXAMINATION:  Febrile.\n\n{heading}:  Septic shock.\n\nFAMILY HISTORY:  None.\n"
    assert cut_sections(text) == {"family_history": "None.", "physical_exam": "Febrile."}

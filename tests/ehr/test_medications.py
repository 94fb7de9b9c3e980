import pytest
from hypothesis import given
from hypothesis import strategies as st

from ehr.medications import home_medications, prescribed_name


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("1. Lisinopril 10 mg PO DAILY\n2. MetFORMIN (Glucophage) 1000 mg PO BID", ["Lisinopril", "MetFORMIN"]),
        ("1. Aspirin 81 mg daily 2. Metoprolol Succinate XL 25 mg daily", ["Aspirin", "Metoprolol Succinate XL"]),
        ("- furosemide 40mg po qd\n* warfarin as directed", ["furosemide", "warfarin"]),
        ("aspirin 81 mg daily, atorvastatin 40 mg qhs; insulin glargine 1,000 units", None),
        ("Lasix 40mg", ["Lasix"]),
        ("Aspirin\nASPIRIN 81", ["Aspirin"]),
        ("Vitamin D 1000 UNIT PO DAILY", ["Vitamin D"]),
        ("Humalog sliding scale", ["Humalog"]),
        (
            "The Preadmission Medication list is accurate and complete.\n1. Amlodipine 5 mg PO DAILY",
            ["Amlodipine"],
        ),
        ("None", []),
        ("No home medications.", []),
        ("Patient does not know what she takes", []),
        ("N/A", []),
        ("", []),
        ("takes lisinopril and metformin", ["lisinopril", "metformin"]),
        ("1. Albuterol 0.083% Neb Soln 1 NEB IH Q6H:PRN wheezing", ["Albuterol"]),
        ("Tiotropium Bromide 1 CAP IH DAILY", ["Tiotropium Bromide"]),
    ],
)
def test_names_without_doses(text: str, names: list[str] | None) -> None:
    expected = ["aspirin", "atorvastatin", "insulin glargine"] if names is None else names
    assert home_medications(text) == expected


@given(st.text(max_size=300))
def test_any_text_gives_clean_names(text: str) -> None:
    names = home_medications(text)
    assert len({name.lower() for name in names}) == len(names)
    assert all(name == name.strip() and 0 < len(name.split()) <= 5 for name in names)


@pytest.mark.parametrize(
    ("drug", "name"),
    [
        ("OxyCODONE (Immediate Release) ", "oxycodone"),
        ("Albumin 25% (12.5g / 50mL)", "albumin"),
        ("HYDROmorphone (Dilaudid)", "hydromorphone"),
        ("Insulin", "insulin"),
        ("5% Dextrose", "5% dextrose"),
        ("Insulin (Regular) for Hyperkalemia", "insulin"),
        ("PHENobarbital - ICU alcohol withdrawal", "phenobarbital"),
        ("PHENObarbital Alcohol Withdrawal Dose Taper (Days 2-7)", "phenobarbital"),
        ("Furosemide-Heart Failure", "furosemide"),
        ("Piperacillin-Tazobactam", "piperacillin-tazobactam"),
        ("(unnamed)", "(unnamed)"),
    ],
)
def test_prescribed_names(drug: str, name: str) -> None:
    assert prescribed_name(drug) == name

"""A bundle of some thirty concepts, and a cohort of three admissions, written by hand."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from ehr.cohort import SCHEMAS, Cohort, create_cohort
from kg.bundle import Bundle
from kg.types import statement_id
from kg.vocabulary import Category, Predicate
from tests.kg.tables import Rows, write_tables

P, D = Category.PHENOTYPE, Category.DISEASE
CONCEPTS = {
    "HP:0000001": (P, "All", []),
    "HP:0000118": (P, "Phenotypic abnormality", []),
    "HP:0000005": (P, "Mode of inheritance", ["inherited"]),
    "HP:0001945": (P, "Fever", ["Pyrexia", "Hyperthermia"]),
    "HP:0012735": (P, "Cough", ["Coughing"]),
    "HP:0031246": (P, "Nonproductive cough", ["Dry cough"]),
    "HP:0025143": (P, "Chills", []),
    "HP:0002094": (P, "Dyspnea", ["Dyspnoea", "Shortness of breath"]),
    "HP:0002875": (P, "Exertional dyspnea", []),
    "HP:0100749": (P, "Chest pain", ["Thoracic pain"]),
    "HP:0002027": (P, "Abdominal pain", []),
    "HP:0012531": (P, "Pain", []),
    "HP:0000822": (P, "Hypertension", ["High blood pressure"]),
    "HP:0002615": (P, "Hypotension", ["Low blood pressure"]),
    "HP:0001297": (P, "Stroke", []),
    "HP:0001658": (P, "Myocardial infarction", ["Heart attack", "MI/abbreviation"]),
    "HP:0000969": (P, "Edema", ["Oedema"]),
    "HP:0010741": (P, "Pedal edema", ["Edema of the lower limbs"]),
    "HP:0003259": (P, "Elevated circulating creatinine concentration", []),
    "HP:0002153": (P, "Hyperkalemia", []),
    "HP:0001649": (P, "Tachycardia", []),
    "HP:0002018": (P, "Nausea", []),
    "HP:0002013": (P, "Vomiting", []),
    "HP:0002017": (P, "Nausea and vomiting", []),
    "HP:0002090": (P, "Pneumonia", []),
    "HP:0000819": (P, "Diabetes mellitus", ["Diabetes"]),
    "HP:0009999": (P, "Bathing suit pattern", ["BSP/abbreviation", "ABCDE/abbreviation"]),
    "OMIM:1": (D, "Marfan syndrome", ["Arachnodactyly syndrome"]),
    "ICD10CM:I10": (D, "Essential hypertension disorder", []),
    "CCS:157": (D, "Acute and unspecified renal failure", []),
    "CCS:122": (D, "Pneumonia", ["lung infection"]),
    "RXNORM:6809": (Category.DRUG, "metformin", ["Glucophage"]),
    "CRG:tobacco_use": (Category.EXPOSURE, "tobacco use", ["smoker"]),
    "CRG:hemodialysis": (Category.PROCEDURE, "hemodialysis", ["dialysis"]),
    "LOINC:2160-0": (Category.MEASUREMENT, "creatinine", []),
    "LOINC:2823-3": (Category.MEASUREMENT, "potassium", []),
    "LOINC:8867-4": (Category.MEASUREMENT, "heart rate", []),
}
KINDS = [
    (c, "HP:0000118") for c in CONCEPTS if c.startswith("HP:") and c not in ("HP:0000001", "HP:0000118", "HP:0000005")
]
TRIPLES = [
    *[(child, Predicate.SUBCLASS_OF, parent, 1.0) for child, parent in KINDS],
    ("HP:0031246", Predicate.SUBCLASS_OF, "HP:0012735", 1.0),
    ("HP:0100749", Predicate.SUBCLASS_OF, "HP:0012531", 1.0),
    ("HP:0002875", Predicate.SUBCLASS_OF, "HP:0002094", 1.0),
    ("HP:0010741", Predicate.SUBCLASS_OF, "HP:0000969", 1.0),
    ("LOINC:2160-0", Predicate.HIGH_INDICATES, "HP:0003259", 1.0),
    ("LOINC:2823-3", Predicate.HIGH_INDICATES, "HP:0002153", 1.0),
    ("CCS:122", Predicate.CLOSE_MATCH, "HP:0002090", 1.0),
]
NOTES = [
    ("1", "history_of_present_illness", "Presents with fevers and SOB. Denies chest pain, nausea, or cough."),
    ("1", "past_medical_history", "Hypertension. Stroke."),
    ("1", "family_history", "Father had a heart attack."),
    ("1", "medications_on_admission", "metformin 500 mg"),
    ("1", "hospital_course", "Was given metformin; low blood pressure."),
    ("2", "admission_summary", "Drugs: metformin. Smoker. Pneumonia."),
]
SERIES = [
    ("1", "LOINC:2160-0", 1.0, 2.0, None, None),
    ("1", "LOINC:2160-0", 30.0, 4.4, None, None),
    ("2", "LOINC:2160-0", 1.0, 1.25, None, None),
    ("2", "LOINC:2823-3", 1.0, 5.6, 3.5, 5.0),
    ("2", "LOINC:2823-3", 2.0, 5.4, 3.5, 5.0),
    *[("2", "LOINC:8867-4", float(h), 80.0, None, None) for h in range(20)],
    ("2", "LOINC:8867-4", 20.0, 240.0, None, None),
]
DRUGS = [
    ("1", "Glucophage 500 mg tablet", None, True),
    ("2", "metformin", 5.0, False),
    ("2", "unknownium", None, True),
]


def _synonyms() -> list[tuple[str, str, str, str, str]]:
    rows = []
    for concept, (_, _, synonyms) in CONCEPTS.items():
        for synonym in synonyms:
            text, _, kind = synonym.partition("/")
            rows.append((concept, text, "exact", kind, "test"))
    return sorted(rows)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    path: Path = tmp_path_factory.mktemp("graph")
    tables: dict[str, Rows] = {
        "concepts": [{"id": i, "category": c.value, "name": n} for i, (c, n, _) in CONCEPTS.items()],
        "synonyms": [{"concept": c, "text": t, "scope": scope, "kind": kind} for c, t, scope, kind, _ in _synonyms()],
        "statements": [
            {
                "id": statement_id(s, p, o, False),
                "subject": s,
                "predicate": p.value,
                "object": o,
                "weight": w,
            }
            for s, p, o, w in TRIPLES
        ],
    }
    write_tables(path, tables, hash_="link-tests" * 4)
    return Bundle.open(path)


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    directory = tmp_path / "cohort"
    directory.mkdir()
    made = create_cohort(directory, {"source": "test"})
    admissions = [(i, i, 60.0, "F", "EMERGENCY", 99.0, None, ["CCS:122"], "train") for i in ("1", "2", "3")]
    rows: dict[str, list[tuple[object, ...]]] = {
        "admissions": list(admissions),
        "notes": [(*note, "note") for note in NOTES],
        "series": [(a, c, h, v, "x", low, high, "labevents:1") for a, c, h, v, low, high in SERIES],
        "medications": [(*drug, "prescriptions:1") for drug in DRUGS],
    }
    for name, values in rows.items():
        made.write_table(name, pl.DataFrame(values, schema=SCHEMAS[name], orient="row"), f"{name}-1")
    return made

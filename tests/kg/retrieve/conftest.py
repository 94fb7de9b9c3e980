"""A bundle about five of the candidates, and findings of one patient."""

from __future__ import annotations

from pathlib import Path

import pytest

from kg.bundle import Bundle
from kg.types import Finding, statement_id
from kg.vocabulary import Category, Predicate
from tests.kg.tables import Rows, write_tables

P, D, M = Category.PHENOTYPE, Category.DISEASE, Category.MEASUREMENT
ROOT, EDEMA, LEGS, FEET, DYSPNEA, EXERTION = (
    "HP:0000118",
    "HP:0000969",
    "HP:0010741",
    "HP:0012098",
    "HP:0002094",
    "HP:0002875",
)
FEVER, COUGH, CRACKLES, INFARCTION, NSTEMI = "HP:0001945", "HP:0012735", "HP:0030830", "HP:0001658", "HP:0001659"
HEART, LUNG, ATTACK, KIDNEY, SHOCK = "CCS:108", "CCS:122", "CCS:100", "CCS:157", "CCS:249"
BNP, CREATININE, HIGH_CREATININE = "LOINC:33762-6", "LOINC:2160-0", "HP:0003259"
SMOKING, FUROSEMIDE, RARE, GONE = "CRG:tobacco_use", "RXNORM:4603", "OMIM:1", "HP:0000002"

CONCEPTS = {
    ROOT: (P, "Phenotypic abnormality"),
    EDEMA: (P, "Edema"),
    LEGS: (P, "Pedal edema"),
    FEET: (P, "Edema of the dorsum of feet"),
    DYSPNEA: (P, "Dyspnea"),
    EXERTION: (P, "Exertional dyspnea"),
    FEVER: (P, "Fever"),
    COUGH: (P, "Cough"),
    CRACKLES: (P, "Crackles"),
    INFARCTION: (P, "Myocardial infarction"),
    NSTEMI: (P, "Subendocardial infarction"),
    HIGH_CREATININE: (P, "High creatinine"),
    GONE: (P, "Old term"),
    HEART: (D, "Congestive heart failure"),
    LUNG: (D, "Pneumonia"),
    ATTACK: (D, "Acute myocardial infarction"),
    KIDNEY: (D, "Acute renal failure"),
    SHOCK: (D, "Shock"),
    RARE: (D, "Rare syndrome"),
    BNP: (M, "NT-proBNP"),
    CREATININE: (M, "creatinine"),
    SMOKING: (Category.EXPOSURE, "tobacco use"),
    FUROSEMIDE: (Category.DRUG, "furosemide"),
}
K = Predicate
TRIPLES = [
    *[(c, K.SUBCLASS_OF, ROOT, 1.0) for c in (EDEMA, DYSPNEA, FEVER, COUGH, CRACKLES, INFARCTION, HIGH_CREATININE)],
    (LEGS, K.SUBCLASS_OF, EDEMA, 1.0),
    (FEET, K.SUBCLASS_OF, LEGS, 1.0),
    (EXERTION, K.SUBCLASS_OF, DYSPNEA, 1.0),
    (NSTEMI, K.SUBCLASS_OF, INFARCTION, 1.0),
    (HEART, K.HAS_PHENOTYPE, LEGS, 0.7),
    (HEART, K.HAS_PHENOTYPE, EXERTION, 0.8),
    (HEART, K.HAS_PHENOTYPE, CRACKLES, 0.6),
    (LUNG, K.HAS_PHENOTYPE, CRACKLES, 0.6),
    (LUNG, K.HAS_PHENOTYPE, FEVER, 0.8),
    (LUNG, K.HAS_PHENOTYPE, COUGH, 0.8),
    (HEART, K.HAS_HIGH_MEASUREMENT, BNP, 0.9),
    (KIDNEY, K.HAS_HIGH_MEASUREMENT, CREATININE, 0.9),
    (SHOCK, K.HAS_LOW_MEASUREMENT, BNP, 0.5),
    (CREATININE, K.HIGH_INDICATES, HIGH_CREATININE, 1.0),
    (SMOKING, K.PREDISPOSES_TO, ATTACK, 0.5),
    (FUROSEMIDE, K.TREATS, HEART, 0.8),
    (ATTACK, K.CLOSE_MATCH, INFARCTION, 1.0),
    (HEART, K.HAS_COMPLICATION, KIDNEY, 0.4),
    (HEART, K.DIFFERENTIAL_WITH, LUNG, 0.5),
    *[(RARE, K.HAS_PHENOTYPE, c, 1.0) for c in (FEVER, EDEMA)],
    (GONE, K.PREDISPOSES_TO, SHOCK, 1.0),
]
NEGATED = [(SHOCK, K.HAS_PHENOTYPE, FEVER, 1.0)]

FINDINGS = [
    Finding("1", LEGS, "note"),
    Finding("1", DYSPNEA, "note"),
    Finding("1", CRACKLES, "note"),
    Finding("1", FEVER, "note", negated=True),
    Finding("1", SMOKING, "note"),
    Finding("1", FUROSEMIDE, "medication", weight=0.8),
    Finding("1", BNP, "lab", code=BNP, direction="high", value=9000.0, unit="pg/mL", hours=2.0),
    Finding("1", HIGH_CREATININE, "lab", code=CREATININE, direction="high", value=3.0, unit="mg/dL", hours=2.0),
]


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    path: Path = tmp_path_factory.mktemp("graph")
    statements = [(s, p, o, False, w) for s, p, o, w in TRIPLES] + [(s, p, o, True, w) for s, p, o, w in NEGATED]
    tables: dict[str, Rows] = {
        "concepts": [
            {"id": i, "category": c.value, "name": n, "deprecated": i == GONE} for i, (c, n) in CONCEPTS.items()
        ],
        "statements": [
            {
                "id": statement_id(s, p, o, negated),
                "subject": s,
                "predicate": p.value,
                "object": o,
                "negated": negated,
                "weight": w,
            }
            for s, p, o, negated, w in statements
        ],
    }
    write_tables(path, tables, hash_="retrieve" * 4)
    return Bundle.open(path)


@pytest.fixture
def findings() -> list[Finding]:
    return list(FINDINGS)

"""One small patient with a subgraph, used by the tests of rationales, teachers, diagnoses and reports."""

from __future__ import annotations

from kg.types import Edge, EvidencePath, Finding, PatientSubgraph, Seed, Statement
from kg.vocabulary import Category, Predicate

BLEED, KIDNEY, DIABETES, SHOCK, PRESSURE = "CCS:153", "CCS:157", "CCS:50", "CCS:249", "CCS:98"
MELENA, HEMATEMESIS, TACHYCARDIA, HYPERTENSION, AKI = (
    "HP:0002249",
    "HP:0002248",
    "HP:0001649",
    "HP:0000822",
    "HP:0001919",
)
ULCER = "HP:0004398"
CREATININE, HEMOGLOBIN, PULSE, METFORMIN, SMOKING = (
    "LOINC:2160-0",
    "LOINC:718-7",
    "LOINC:8867-4",
    "RXNORM:6809",
    "CRG:tobacco_use",
)

NAMES = {
    BLEED: "gastrointestinal hemorrhage",
    KIDNEY: "acute and unspecified renal failure",
    DIABETES: "diabetes mellitus with complications",
    SHOCK: "shock",
    PRESSURE: "essential hypertension",
    MELENA: "Melena",
    HEMATEMESIS: "Hematemesis",
    TACHYCARDIA: "Tachycardia",
    HYPERTENSION: "Hypertension",
    AKI: "Acute kidney injury",
    ULCER: "Peptic ulcer",
    CREATININE: "creatinine",
    HEMOGLOBIN: "hemoglobin",
    PULSE: "heart rate",
    METFORMIN: "metformin",
    SMOKING: "tobacco use",
}
CATEGORIES = {
    **dict.fromkeys((BLEED, KIDNEY, DIABETES, SHOCK, PRESSURE), Category.DISEASE),
    **dict.fromkeys((MELENA, HEMATEMESIS, TACHYCARDIA, HYPERTENSION, AKI, ULCER), Category.PHENOTYPE),
    **dict.fromkeys((CREATININE, HEMOGLOBIN, PULSE), Category.MEASUREMENT),
    METFORMIN: Category.DRUG,
    SMOKING: Category.EXPOSURE,
}
P = Predicate
TRIPLES = [
    (BLEED, P.HAS_PHENOTYPE, MELENA, 0.7),
    (BLEED, P.HAS_PHENOTYPE, HEMATEMESIS, 0.5),
    (BLEED, P.HAS_LOW_MEASUREMENT, HEMOGLOBIN, 0.8),
    (BLEED, P.HAS_COMPLICATION, SHOCK, 0.3),
    (KIDNEY, P.HAS_HIGH_MEASUREMENT, CREATININE, 0.9),
    (KIDNEY, P.CLOSE_MATCH, AKI, 1.0),
    (CREATININE, P.HIGH_INDICATES, AKI, 0.8),
    (SHOCK, P.HAS_PHENOTYPE, TACHYCARDIA, 0.8),
    (PULSE, P.HIGH_INDICATES, TACHYCARDIA, 1.0),
    (METFORMIN, P.TREATS, DIABETES, 0.9),
    (SMOKING, P.PREDISPOSES_TO, BLEED, 0.2),
    (ULCER, P.PREDISPOSES_TO, BLEED, 0.6),
    (SHOCK, P.DIFFERENTIAL_WITH, BLEED, 0.5),
]
STATEMENTS = {(s, p, o): Statement(s, p, o).id for s, p, o, _ in TRIPLES}
A = "1001"
PATHS = [
    ("phenotype", 0.7, (MELENA, BLEED), [(BLEED, P.HAS_PHENOTYPE, MELENA)]),
    ("phenotype", 0.5, (HEMATEMESIS, BLEED), [(BLEED, P.HAS_PHENOTYPE, HEMATEMESIS)]),
    ("measurement", 0.8, (HEMOGLOBIN, BLEED), [(BLEED, P.HAS_LOW_MEASUREMENT, HEMOGLOBIN)]),
    ("measurement", 0.9, (CREATININE, KIDNEY), [(KIDNEY, P.HAS_HIGH_MEASUREMENT, CREATININE)]),
    (
        "measurement",
        0.8,
        (AKI, CREATININE, KIDNEY),
        [(CREATININE, P.HIGH_INDICATES, AKI), (KIDNEY, P.HAS_HIGH_MEASUREMENT, CREATININE)],
    ),
    ("treatment", 0.7, (METFORMIN, DIABETES), [(METFORMIN, P.TREATS, DIABETES)]),
    ("risk", 0.3, (ULCER, BLEED), [(ULCER, P.PREDISPOSES_TO, BLEED)]),
    ("phenotype", 0.8, (TACHYCARDIA, SHOCK), [(SHOCK, P.HAS_PHENOTYPE, TACHYCARDIA)]),
]
UNDERLYING = (
    "underlying",
    0.1,
    (MELENA, BLEED, SHOCK),
    [(BLEED, P.HAS_PHENOTYPE, MELENA), (BLEED, P.HAS_COMPLICATION, SHOCK)],
)

FINDINGS = [
    Finding(A, MELENA, "note", section="history_of_present_illness", start=10, end=16),
    Finding(A, HEMATEMESIS, "note", section="history_of_present_illness", start=21, end=32),
    Finding(A, TACHYCARDIA, "note", negated=True, section="physical_exam", start=3, end=14),
    Finding(A, ULCER, "note", historical=True, section="past_medical_history", start=0, end=12),
    Finding(A, HEMOGLOBIN, "lab", code=HEMOGLOBIN, direction="low", value=6.1, unit="g/dL", hours=2.2),
    Finding(A, CREATININE, "lab", code=CREATININE, direction="high", value=3.14, unit="mg/dL", hours=6.0),
    Finding(A, METFORMIN, "medication", section="medications_on_admission", start=0, end=9),
]


def subgraph(admission: str = A, more: tuple = ()) -> PatientSubgraph:
    nodes = tuple(sorted(CATEGORIES))
    place = {node: i for i, node in enumerate(nodes)}
    edges = tuple(
        sorted(
            (Edge(place[s], place[o], p, STATEMENTS[s, p, o], w) for s, p, o, w in TRIPLES),
            key=lambda e: (e.source, e.target, e.predicate),
        )
    )
    seeds = tuple(
        Seed(f.concept, f.weight, (f.origin,), "denied" if f.negated else "historical" if f.historical else "present")
        for f in sorted(FINDINGS, key=lambda f: f.concept)
    )
    paths = tuple(
        EvidencePath(nodes[-1], nodes[0], kind, nodes, tuple(STATEMENTS[key] for key in keys), score)
        for kind, score, nodes, keys in [*PATHS, *more]
    )
    scores = tuple(round(1 / (i + 2), 3) for i in range(len(nodes)))
    return PatientSubgraph(admission, "all", nodes, tuple(CATEGORIES[n] for n in nodes), scores, seeds, edges, paths)

"""A small bundle, written straight from the schema of docs/architecture.md, for the tests of the stores."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from kg.types import statement_id
from kg.vocabulary import Category, Predicate
from tests.kg.tables import Rows, write_tables

P = Predicate

CONCEPTS: dict[str, tuple[Category, str]] = {
    "CCS:108": (Category.DISEASE, "Congestive heart failure; nonhypertensive"),
    "CCS:122": (Category.DISEASE, "Pneumonia"),
    "CCS:157": (Category.DISEASE, "Acute and unspecified renal failure"),
    "ICD10CM:I50.9": (Category.DISEASE, "Heart failure, unspecified"),
    "HP:0000118": (Category.PHENOTYPE, "Phenotypic abnormality"),
    "HP:0001635": (Category.PHENOTYPE, "Congestive heart failure"),
    "HP:0002094": (Category.PHENOTYPE, "Dyspnea"),
    "HP:0012764": (Category.PHENOTYPE, "Orthopnea"),
    "HP:0000969": (Category.PHENOTYPE, "Edema"),
    "HP:0012398": (Category.PHENOTYPE, "Peripheral edema"),
    "HP:0001945": (Category.PHENOTYPE, "Fever"),
    "HP:0012735": (Category.PHENOTYPE, "Cough"),
    "HP:0031246": (Category.PHENOTYPE, "Nonproductive cough"),
    "HP:0100520": (Category.PHENOTYPE, "Oliguria"),
    "HP:0001873": (Category.PHENOTYPE, "Thrombocytopenia"),
    "HP:0000822": (Category.PHENOTYPE, "Hypertension"),
    "RXNORM:4603": (Category.DRUG, "furosemide"),
    "LOINC:33762-6": (Category.MEASUREMENT, "NT-proBNP in serum"),
    "LOINC:2160-0": (Category.MEASUREMENT, "Creatinine in serum"),
    "LOINC:8310-5": (Category.MEASUREMENT, "Body temperature"),
}

STATEMENTS: list[tuple[str, Predicate, str, float, bool]] = [
    ("HP:0012764", P.SUBCLASS_OF, "HP:0002094", 1.0, False),
    ("HP:0012398", P.SUBCLASS_OF, "HP:0000969", 1.0, False),
    ("HP:0031246", P.SUBCLASS_OF, "HP:0012735", 1.0, False),
    ("HP:0002094", P.SUBCLASS_OF, "HP:0000118", 1.0, False),
    ("HP:0000969", P.SUBCLASS_OF, "HP:0000118", 1.0, False),
    ("HP:0012735", P.SUBCLASS_OF, "HP:0000118", 1.0, False),
    ("HP:0001945", P.SUBCLASS_OF, "HP:0000118", 1.0, False),
    ("ICD10CM:I50.9", P.SUBCLASS_OF, "CCS:108", 1.0, False),
    ("CCS:108", P.CLOSE_MATCH, "HP:0001635", 1.0, False),
    ("CCS:108", P.HAS_PHENOTYPE, "HP:0002094", 0.9, False),
    ("CCS:108", P.HAS_PHENOTYPE, "HP:0000969", 0.8, False),
    ("CCS:108", P.HAS_PHENOTYPE, "HP:0001945", 0.1, True),
    ("CCS:108", P.HAS_HIGH_MEASUREMENT, "LOINC:33762-6", 0.9, False),
    ("CCS:108", P.HAS_COMPLICATION, "CCS:157", 0.4, False),
    ("CCS:108", P.DIFFERENTIAL_WITH, "CCS:122", 0.5, False),
    ("CCS:122", P.HAS_PHENOTYPE, "HP:0002094", 0.6, False),
    ("CCS:122", P.HAS_PHENOTYPE, "HP:0001945", 0.8, False),
    ("CCS:122", P.HAS_PHENOTYPE, "HP:0012735", 0.9, False),
    ("CCS:122", P.HAS_HIGH_MEASUREMENT, "LOINC:8310-5", 0.8, False),
    ("CCS:157", P.HAS_PHENOTYPE, "HP:0100520", 0.7, False),
    ("CCS:157", P.HAS_HIGH_MEASUREMENT, "LOINC:2160-0", 0.95, False),
    ("HP:0000822", P.PREDISPOSES_TO, "CCS:108", 0.6, False),
    ("RXNORM:4603", P.TREATS, "CCS:108", 0.8, False),
    ("LOINC:8310-5", P.HIGH_INDICATES, "HP:0001945", 1.0, False),
]

SYNONYMS = [
    ("HP:0002094", "shortness of breath", "exact", "layperson"),
    ("HP:0002094", "breathlessness", "exact", "layperson"),
    ("HP:0002094", 'Breathlessness\'s "sign" \\ `x`', "related", ""),
    ("HP:0001945", "pyrexia", "exact", ""),
]


@dataclass(frozen=True)
class SmallBundle:
    path: Path
    hash: str

    @property
    def manifest(self) -> dict[str, object]:
        value: dict[str, object] = json.loads((self.path / "manifest.json").read_text())
        return value


def write_bundle(
    path: Path,
    hash_: str = "one",
    *,
    concepts: dict[str, tuple[Category, str]] | None = None,
    statements: list[tuple[str, Predicate, str, float, bool]] | None = None,
) -> SmallBundle:
    """Write a bundle of the given rows (the ones above where none are given)."""
    concepts = CONCEPTS if concepts is None else concepts
    statements = STATEMENTS if statements is None else statements
    rows = [(statement_id(s, p, o, n), s, p, o, n, w) for s, p, o, w, n in statements]
    evidence = [one for row in rows for one in _evidence_of(*row)]
    tables: dict[str, Rows] = {
        "concepts": [
            {
                "id": id_,
                "category": category.value,
                "name": name,
                "definition": f"Definition of {name}" if id_.startswith("HP:") else "",
                "equivalents": ["UMLS:C0015967"] if id_ == "HP:0001945" else [],
            }
            for id_, (category, name) in concepts.items()
        ],
        "synonyms": [
            {"concept": c, "text": text, "scope": scope, "kind": kind}
            for c, text, scope, kind in SYNONYMS
            if c in concepts
        ],
        "statements": [
            {
                "id": id_,
                "subject": s,
                "predicate": p.value,
                "object": o,
                "negated": n,
                "weight": w,
                "sources": ["bridge", "hpo"] if p is P.HAS_PHENOTYPE else ["hpo"],
                "publications": sorted({one for e in evidence if e["statement"] == id_ for one in e["publications"]}),
                "checked": True if p is P.HAS_PHENOTYPE else None,
            }
            for id_, s, p, o, n, w in rows
        ],
        "evidence": evidence,
    }
    sources = [
        {"name": "hpo", "version": "2026-01-01", "licence": "HPO", "open": False, "sha256": "ab" * 32},
        {"name": "bridge", "version": "1", "licence": "Apache-2.0", "open": True, "sha256": "cd" * 32},
    ]
    write_tables(path, tables, hash_=hash_, sources=sources)
    return SmallBundle(path, hash_)


class _Evidence(TypedDict):
    id: str
    statement: str
    subject: str
    predicate: str
    object: str
    negated: bool
    source: str
    version: str
    publications: list[str]
    weight: float
    frequency: str
    subject_as_written: str
    object_as_written: str
    checked: bool | None
    note: str
    caption: str


def _evidence_of(
    id_: str, subject: str, predicate: Predicate, object_: str, negated: bool, weight: float
) -> list[_Evidence]:
    def one(number: int, **said: Any) -> _Evidence:
        told = {
            "source": "bridge",
            "version": "1",
            "publications": [],
            "frequency": "",
            "subject_as_written": "",
            "object_as_written": "",
            "checked": None,
            "note": "",
            **said,
        }
        return _Evidence(
            id=f"{id_}.{number}",
            statement=id_,
            subject=subject,
            predicate=predicate.value,
            object=object_,
            negated=negated,
            caption=f"{told['source']} {told['version']}",
            **told,
        )

    found = []
    if predicate is P.HAS_PHENOTYPE:
        note = "the chapter's \"first\" table; what's in it"
        address = ["https://example.org/a"]
        found = [
            one(1, publications=address, weight=weight / 2, frequency="often", checked=True, note=note),
            one(2, weight=weight / 4, checked=False),
        ]
    written = {"subject_as_written": subject, "object_as_written": object_}
    cited = ["PMID:1", "OMIM:154700"]
    return [
        *found,
        one(len(found) + 1, source="hpo", version="2026-01-01", publications=cited, weight=weight, **written),
    ]

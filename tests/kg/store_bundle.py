"""A small bundle, written straight from the schema of docs/architecture.md, for the tests of the stores."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from kg.types import statement_id
from kg.vocabulary import Category, Predicate

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
    path.mkdir(parents=True, exist_ok=True)
    concepts = CONCEPTS if concepts is None else concepts
    statements = STATEMENTS if statements is None else statements
    text, texts = pl.String, pl.List(pl.String)
    pl.DataFrame(
        [
            (
                id_,
                category.value,
                name,
                f"Definition of {name}" if id_.startswith("HP:") else "",
                "test",
                False,
                None,
                [],
            )
            for id_, (category, name) in sorted(concepts.items())
        ],
        schema={
            "id": text,
            "category": text,
            "name": text,
            "definition": text,
            "source": text,
            "deprecated": pl.Boolean,
            "replaced_by": text,
            "xrefs": texts,
        },
        orient="row",
    ).write_parquet(path / "concepts.parquet")
    pl.DataFrame(
        [(*row, "test") for row in SYNONYMS if row[0] in concepts],
        schema={"concept": text, "text": text, "scope": text, "kind": text, "source": text},
        orient="row",
    ).write_parquet(path / "synonyms.parquet")
    rows = sorted((statement_id(s, p, o, n), s, p.value, o, n, w) for s, p, o, w, n in statements)
    pl.DataFrame(
        [(*row, ["bridge", "hpo"] if row[2] == P.HAS_PHENOTYPE.value else ["hpo"]) for row in rows],
        schema={
            "id": text,
            "subject": text,
            "predicate": text,
            "object": text,
            "negated": pl.Boolean,
            "weight": pl.Float64,
            "sources": texts,
        },
        orient="row",
    ).write_parquet(path / "statements.parquet")
    _write_evidence(path, rows)
    pl.DataFrame([], schema={"subject": text, "predicate": text, "object": text, "source": text}).write_parquet(
        path / "mappings.parquet"
    )
    sources = [{"name": "hpo", "version": "2026-01-01"}, {"name": "bridge", "version": "1"}]
    (path / "manifest.json").write_text(json.dumps({"hash": hash_, "format": 1, "sources": sources}))
    return SmallBundle(path, hash_)


def _write_evidence(path: Path, rows: list[tuple[str, str, str, str, bool, float]]) -> None:
    text = pl.String
    evidence: list[tuple[object, ...]] = []
    for id_, subject, predicate, object_, _, weight in rows:
        evidence.append((id_, "hpo", "2026-01-01", ["PMID:1", "OMIM:154700"], weight, "", subject, object_, None, None))
        if predicate == P.HAS_PHENOTYPE.value:
            note = "the chapter's \"first\" table; what's in it"
            evidence.append((id_, "bridge", "1", ["https://example.org/a"], weight / 2, "often", "", "", True, note))
            evidence.append((id_, "bridge", "1", [], weight / 4, None, None, None, False, None))
    pl.DataFrame(
        evidence,
        schema={
            "statement": text,
            "source": text,
            "version": text,
            "publications": pl.List(text),
            "weight": pl.Float64,
            "frequency": text,
            "subject_as_written": text,
            "object_as_written": text,
            "checked": pl.Boolean,
            "note": text,
        },
        orient="row",
    ).write_parquet(path / "evidence.parquet")

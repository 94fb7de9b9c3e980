"""A tiny world for tests of training: 25 labels, three findings each, notes, labs, subgraphs and rationales."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from distill.config import RunConfig, StageConfig, preset
from ehr.cohort import Cohort, create_cohort
from ehr.phenotypes import load_phenotypes
from ehr.schemas import ADMISSIONS_SCHEMA, FOLDS_SCHEMA, NOTES_SCHEMA, SERIES_SCHEMA
from kg.bundle import Bundle
from kg.link.cohort import SCHEMA as FINDINGS_SCHEMA
from kg.retrieve.table import to_frame
from kg.types import Edge, EvidencePath, PatientSubgraph, Seed, statement_id
from kg.vocabulary import Category, Predicate
from tests.kg.tables import write_tables

LABELS = load_phenotypes()
LACTATE, HEART_RATE = "LOINC:32693-4", "LOINC:8867-4"
SYLLABLES = ("ba", "ko", "li", "mu", "ne", "ro", "sa", "ti", "ve", "zu")


def finding_id(label: int, number: int) -> str:
    return f"HP:{1_000_000 + 10 * label + number:07d}"


def finding_name(label: int, number: int) -> str:
    code = 3 * label + number
    return SYLLABLES[code // 10] + SYLLABLES[code % 10] + "sis"


def tiny_bundle(path: Path) -> Bundle:
    concepts = [(label.id, Category.DISEASE.value, label.name) for label in LABELS]
    statements: list[dict[str, object]] = []
    for k, label in enumerate(LABELS):
        for number in range(3):
            concepts.append((finding_id(k, number), Category.PHENOTYPE.value, finding_name(k, number)))
            key = statement_id(label.id, Predicate.HAS_PHENOTYPE, finding_id(k, number), False)
            row = {"id": key, "subject": label.id, "predicate": Predicate.HAS_PHENOTYPE.value, "weight": 0.8}
            statements.append({**row, "object": finding_id(k, number), "negated": False, "sources": ["tiny"]})
    described: list[dict[str, object]] = [{"id": i, "category": c, "name": n, "source": "tiny"} for i, c, n in concepts]
    write_tables(path, {"concepts": described, "statements": statements}, hash_="tiny")
    return Bundle.open(path)


def tiny_subgraph(admission: str, mode: str, present: list[tuple[int, int]], denied: list[tuple[int, int]]):
    nodes = [label.id for label in LABELS]
    seeds, edges, paths = [], [], []
    for state, chosen in (("present", present), ("denied", denied)):
        for k, number in chosen:
            concept, candidate = finding_id(k, number), LABELS.ids[k]
            key = statement_id(candidate, Predicate.HAS_PHENOTYPE, concept, False)
            nodes.append(concept)
            seeds.append(Seed(concept, 1.0 if state == "present" else 0.0, ("note",), state))
            edges.append(Edge(k, len(nodes) - 1, Predicate.HAS_PHENOTYPE, key, 0.8))
            if state == "present":
                paths.append(EvidencePath(candidate, concept, "phenotype", (concept, candidate), (key,), 0.8))
    categories = (Category.DISEASE,) * len(LABELS) + (Category.PHENOTYPE,) * (len(nodes) - len(LABELS))
    scores = (0.1,) * len(nodes)
    return PatientSubgraph(admission, mode, tuple(nodes), categories, scores, tuple(seeds), tuple(edges), tuple(paths))


def tiny_cohort(path: Path, admissions: int = 60, seed: int = 0) -> Cohort:
    """Every patient has one to three diseases, each with two findings in the note; shock raises lactate."""
    rng = np.random.default_rng(seed)
    path.mkdir(parents=True)
    cohort = create_cohort(path, {"source": "tiny"})
    tables: dict[str, list] = {name: [] for name in ("admissions", "notes", "series", "findings", "rationales")}
    subgraphs: list[PatientSubgraph] = []
    for number in range(admissions):
        _admission(f"{number:05d}", number, admissions, rng, tables, subgraphs)
    schemas = {
        "admissions": ADMISSIONS_SCHEMA,
        "notes": NOTES_SCHEMA,
        "series": SERIES_SCHEMA,
        "findings": FINDINGS_SCHEMA,
        "rationales": None,
    }
    for name, rows in tables.items():
        cohort.write_table(name, pl.DataFrame(rows, schema=schemas[name], infer_schema_length=None), f"tiny{seed}")
    cohort.write_table("subgraphs", to_frame(subgraphs), f"tiny{seed}")
    folds = [{"patient_id": f"p{number:05d}", "fold": number % 5} for number in range(admissions)]
    cohort.write_table("folds", pl.DataFrame(folds, schema=FOLDS_SCHEMA), f"tiny{seed}")
    return Cohort.open(path)


def _split(number: int, total: int) -> str:
    share = number / total
    return "train" if share < 0.6 else "dev" if share < 0.8 else "test"


def _admission(key: str, number: int, total: int, rng: np.random.Generator, tables: dict, subgraphs: list) -> None:
    diseases = sorted(rng.choice(len(LABELS), size=int(rng.integers(1, 4)), replace=False).tolist())
    present = [(k, int(i)) for k in diseases for i in sorted(rng.choice(3, 2, replace=False))]
    denied = [(int(k), 0) for k in rng.choice(len(LABELS), 2, replace=False) if int(k) not in diseases]
    tables["admissions"].append(
        {
            "patient_id": f"p{number:05d}",
            "admission_id": key,
            "age": 40.0 + number % 40,
            "sex": "F" if number % 2 else "M",
            "admission_type": "EMERGENCY",
            "length_of_stay_hours": 100.0,
            "year_group": "2020",
            "labels": [LABELS.ids[k] for k in diseases],
            "split": _split(number, total),
        }
    )
    text = "Patient with"
    for state, chosen in (("present", present), ("denied", denied)):
        for k, i in chosen:
            text += " no" if state == "denied" else ""
            start = len(text) + 1
            text += f" {finding_name(k, i)}"
            finding = dict.fromkeys(FINDINGS_SCHEMA) | {"admission_id": key, "concept": finding_id(k, i)}
            finding |= {"origin": "note", "negated": state == "denied", "historical": False, "hypothetical": False}
            finding |= {"family": False, "section": "history_of_present_illness", "start": start, "end": len(text)}
            tables["findings"].append(finding | {"weight": 1.0})
            text += ","
    tables["notes"].append(
        {"admission_id": key, "section": "history_of_present_illness", "text": text + " today.", "origin": "note"}
    )
    shock = LABELS.index("CCS:249") in diseases
    for code, level, unit in ((HEART_RATE, 80, "/min"), (LACTATE, 6 if shock else 1, "mmol/L")):
        for hour in sorted(rng.uniform(0, 60, 5).tolist()) if code == HEART_RATE or number % 3 else []:
            row = {"admission_id": key, "code": code, "hours": hour, "value": level * float(rng.uniform(0.9, 1.1))}
            reference = {"reference_low": None, "reference_high": None, "source_row": f"labevents:{number}"}
            tables["series"].append(row | {"unit": unit} | reference)
    sentences = [
        {
            "part": part,
            "text": f"{finding_name(k, i).capitalize()} points to {LABELS.names[k].lower()}.",
            "findings": [finding_id(k, i)],
            "statements": [],
            "disease": LABELS.ids[k],
        }
        for part in ("note", "lab")
        for k, i in present
    ]
    labels = [LABELS.ids[k] for k in diseases]
    tables["rationales"].append({"admission_id": key, "teacher": "tiny", "diseases": labels, "sentences": sentences})
    subgraphs.append(tiny_subgraph(key, "all", present, denied))
    subgraphs.append(tiny_subgraph(key, "labs", [pair for pair in present if pair[1] == 0], []))


def tiny_config(**changes) -> RunConfig:
    """Three short stages of a very small model."""
    stage = {"rate": 3e-3, "slm_rate": 3e-3, "evaluate_every": 4}
    small = preset("demo").but(
        slm_width=16,
        slm_layers=1,
        width=16,
        heads=2,
        vocabulary=300,
        note_tokens=48,
        target_tokens=64,
        prompt_tokens=2,
        batch_size=8,
        checkpoint_every=3,
        stage1=StageConfig(steps=8, text_every=2, **stage),
        stage2=StageConfig(steps=6, text_every=2, **stage),
        stage3=StageConfig(steps=8, text_every=2, mask_findings=0.5, drop_labs=0.2, drop_note=0.2, **stage),
    )
    return small.but(**changes)

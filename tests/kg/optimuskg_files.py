"""A small graph in both layouts of OptimusKG."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

NODES = [
    (
        "MONDO_0005148",
        "DIS",
        {"name": "type 2 diabetes", "description": "of  sugar", "xrefs": ["DOID:9352", "UMLS:C0011860"]},
    ),
    ("MONDO_0005015", "DIS", {"name": "diabetes mellitus", "exactSynonyms": ["DM"], "broadSynonyms": ["sugar"]}),
    ("HP_0000855", "PHE", {"name": "Insulin resistance"}),
    (
        "ENSG00000148737",
        "GEN",
        {"symbol": "TCF7L2", "name": "transcription factor 7 like 2", "synonyms": [{"label": "TCF4", "source": "x"}]},
    ),
    ("CHEMBL1431", "DRG", {"name": "METFORMIN"}),
    ("DB00001", "DRG", {"name": "Lepirudin"}),
    ("UBERON_0001264", "ANA", {"name": "pancreas"}),
    ("GO_0006006", "BPO", {"name": "glucose metabolic process"}),
    ("R-HSA-1", "PWY", {"name": "pathway"}),
    ("R-HSA-2", "PWY", {"name": "sub-pathway"}),
    ("D014028", "EXP", {"name": "Tobacco Smoke"}),
    ("C092102", "EXP", {"name": "1-hydroxyphenanthrene"}),
]


EDGES = [
    ("MONDO_0005015", "MONDO_0005148", "DIS-DIS", "PARENT"),
    ("R-HSA-1", "R-HSA-2", "PWY-PWY", "PARENT"),
    ("MONDO_0005148", "ENSG00000148737", "DIS-GEN", "ASSOCIATED_WITH"),
    ("UBERON_0001264", "ENSG00000148737", "ANA-GEN", "EXPRESSION_PRESENT"),
    ("GO_0006006", "ENSG00000148737", "BPO-GEN", "INTERACTS_WITH"),
    ("MONDO_0005148", "HP_0000855", "DIS-PHE", "PHENOTYPE_PRESENT"),
    ("CHEMBL1431", "MONDO_0005148", "DRG-DIS", "INDICATION"),
    ("CHEMBL1431", "HP_0000855", "DRG-PHE", "ADVERSE_DRUG_REACTION"),
    ("CHEMBL1431", "ENSG00000148737", "DRG-GEN", "INVERSE_AGONIST"),
    ("DB00001", "ENSG00000148737", "DRG-GEN", "CARRIER"),
    ("DB00001", "CHEMBL1431", "DRG-DRG", "SYNERGISTIC_INTERACTION"),
    ("D014028", "C092102", "EXP-EXP", "PARENT"),
    ("D014028", "MONDO_0005148", "EXP-DIS", "LINKED_TO"),
    ("MONDO_0005148", "UBERON_0001264", "DIS-ANA", "PAINTS"),
]


def edge_frame(edges: list[tuple[str, str, str, str]]) -> pl.DataFrame:
    return pl.DataFrame(edges, schema=["from", "to", "label", "relation"], orient="row").with_columns(undirected=False)


def write_whole(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    rows = [(i, label, json.dumps(p)) for i, label, p in NODES]
    pl.DataFrame(rows, schema=["id", "label", "properties"], orient="row").write_parquet(folder / "nodes.parquet")
    frame = edge_frame(EDGES).with_columns(properties=pl.lit('{"sources": {"direct": ["X"]}}'))
    frame.write_parquet(folder / "edges.parquet")
    return folder


def write_parts(folder: Path) -> Path:
    """Write one file a type, with properties as columns."""
    for kind in ("nodes", "edges"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for label in dict.fromkeys(n[1] for n in NODES):
        rows = [{"id": i, "label": k, "properties": p} for i, k, p in NODES if k == label]
        pl.DataFrame(rows, infer_schema_length=None).write_parquet(folder / "nodes" / f"{label}.parquet")
    for label in dict.fromkeys(e[2] for e in EDGES):
        properties: dict[str, Any] = {"sources": {"direct": ["OPEN_TARGETS", "HPO"], "indirect": []}}
        if label == "DIS-PHE":
            properties |= {"references": ["PMID:1", None], "frequency": ["HP:0040281"]}
        frame = edge_frame([e for e in EDGES if e[2] == label])
        held = pl.Series("properties", [properties] * frame.height)
        frame.with_columns(held).write_parquet(folder / "edges" / f"{label}.parquet")
    return folder

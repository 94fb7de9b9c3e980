"""A small graph in both layouts of Hetionet."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

NODES = [
    ("Disease", "DOID:10763", "hypertension"),
    ("Compound", "DB00178", "Ramipril"),
    ("Gene", 1636, "ACE"),
    ("Gene", 183, "AGT"),
    ("Symptom", "D006261", "Headache"),
    ("Side Effect", "C0010200", "Cough"),
    ("Anatomy", "UBERON:0002107", "liver"),
    ("Pharmacologic Class", "N0000175562", 'ACE "inhibitor"'),
    ("Pathway", "WP554_r71016", "ACE pathway"),
    ("Pathway", "PC7_4518", "Metabolism"),
]


EDGES = [
    ("Compound", "DB00178", "treats", "CtD", "Disease", "DOID:10763"),
    ("Compound", "DB00178", "palliates", "CpD", "Disease", "DOID:10763"),
    ("Compound", "DB00178", "causes", "CcSE", "Side Effect", "C0010200"),
    ("Compound", "DB00178", "binds", "CbG", "Gene", 1636),
    ("Disease", "DOID:10763", "presents", "DpS", "Symptom", "D006261"),
    ("Disease", "DOID:10763", "associates", "DaG", "Gene", 183),
    ("Gene", 183, "interacts", "GiG", "Gene", 1636),
    ("Gene", 183, "regulates", "Gr>G", "Gene", 1636),
    ("Gene", 183, "participates", "GpPW", "Pathway", "WP554_r71016"),
    ("Anatomy", "UBERON:0002107", "expresses", "AeG", "Gene", 183),
    ("Anatomy", "UBERON:0002107", "downregulates", "AdG", "Gene", 1636),
    ("Pharmacologic Class", "N0000175562", "includes", "PCiC", "Compound", "DB00178"),
]


def document() -> dict[str, Any]:
    return {
        "metanode_kinds": ["Gene"],
        "kind_to_abbrev": {"Gene": "G"},
        "nodes": [
            {"kind": k, "identifier": i, "name": n, "data": {"source": "x", "description": f"about {n}"}}
            for k, i, n in NODES
        ],
        "edges": [
            {
                "source_id": [a, b],
                "target_id": [c, d],
                "kind": verb,
                "direction": "forward" if verb == "regulates" else "both",
                "data": {
                    "sources": ["PharmacotherapyDB", "DrugCentral"],
                    "license": "CC0 1.0",
                    "unbiased": verb == "interacts",
                    "pubmed_ids": [123, 456] if verb == "treats" else [],
                    "z_score": 4.2,
                },
            }
            for a, b, verb, _, c, d in EDGES
        ],
    }


def node_table() -> str:
    return "id\tname\tkind\n" + "".join(f"{k}::{i}\t{n}\t{k}\n" for k, i, n in NODES)


def edge_table() -> str:
    return "source\tmetaedge\ttarget\n" + "".join(f"{a}::{b}\t{m}\t{c}::{d}\n" for a, b, _, m, c, d in EDGES)


def write_tables(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "hetionet-v1.0-nodes.tsv").write_text(node_table(), encoding="utf-8")
    (folder / "hetionet-v1.0-edges.sif.gz").write_bytes(gzip.compress(edge_table().encode()))
    return folder

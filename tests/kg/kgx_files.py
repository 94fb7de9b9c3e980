"""A small graph in the three layouts of KGX."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NODES: list[dict[str, Any]] = [
    {
        "id": "MONDO:0005148",
        "category": ["biolink:NamedThing", "biolink:DiseaseOrPhenotypicFeature", "biolink:Disease"],
        "name": "type 2 diabetes mellitus",
        "description": 'a "common" disease',
        "synonym": ["T2DM", "NIDDM"],
        "xref": ["DOID:9352", "SCTID:44054006", "PMID:1"],
        "same_as": ["DOID:9352"],
    },
    {"id": "HP:0000855", "category": ["biolink:PhenotypicFeature"], "name": "Insulin resistance"},
    {"id": "HGNC:11641", "category": ["biolink:Gene"], "name": "TCF7L2", "in_taxon": ["NCBITaxon:9606"]},
    {"id": "CHEBI:6801", "category": ["biolink:SmallMolecule", "biolink:ChemicalEntity"], "name": "metformin"},
    {"id": "MONDO:1", "category": ["biolink:DiseaseOrPhenotypicFeature"], "name": "old", "deprecated": True},
]


EDGES: list[dict[str, Any]] = [
    {
        "subject": "MONDO:0005148",
        "predicate": "biolink:has_phenotype",
        "object": "HP:0000855",
        "frequency_qualifier": "HP:0040282",
        "publications": ["PMID:26634245", "PMID:26634244"],
        "primary_knowledge_source": "infores:hpo-annotations",
        "knowledge_level": "knowledge_assertion",
    },
    {"subject": "MONDO:0005148", "predicate": "biolink:treated_by", "object": "CHEBI:6801"},
    {
        "subject": "HGNC:11641",
        "predicate": "biolink:gene_associated_with_condition",
        "object": "MONDO:0005148",
        "qualifiers": ["a", "b"],
        "primary_knowledge_source": ["infores:gwas-catalog"],
    },
    {"subject": "MONDO:0005148", "predicate": "biolink:same_as", "object": "DOID:9352"},
    {"subject": "CHEBI:6801", "predicate": "biolink:has_side_effect", "object": "HP:0000855", "negated": True},
    {"subject": "CHEBI:6801", "predicate": "biolink:contributes_to", "object": "HP:0000855"},
    {"subject": "MONDO:1", "predicate": "clinragen:has_complication", "object": "MONDO:0005148"},
]


def table(items: list[dict[str, Any]]) -> str:
    columns = list(dict.fromkeys(key for item in items for key in item))
    cells = [["|".join(v) if isinstance(v := item.get(c, ""), list) else str(v) for c in columns] for item in items]
    return "".join("\t".join(row) + "\n" for row in [columns, *cells])


def lines(items: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(item) + "\n" for item in items)


def write(folder: Path, layout: str, nodes: str = "", edges: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    made = table if layout == "tsv" else lines
    if layout == "json":
        (folder / "g.json").write_text(json.dumps({"nodes": NODES, "edges": EDGES}), encoding="utf-8")
    else:
        (folder / f"g_nodes.{layout}").write_text(made(NODES) + nodes, encoding="utf-8")
        (folder / f"g_edges.{layout}").write_text(made(EDGES) + edges, encoding="utf-8")
    return folder

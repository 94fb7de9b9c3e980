"""What PrimeKG's ids, node types and relations are in the graph.

Directions are those of the code that builds PrimeKG (``knowledge_graph/build_graph.ipynb`` and
``datasets/processing_scripts`` of https://github.com/mims-harvard/PrimeKG).
"""

from __future__ import annotations

from dataclasses import dataclass

from kg.readers.curies import is_curie, normalise
from kg.vocabulary import Category, Predicate

CATEGORIES = {
    "drug": Category.DRUG,
    "disease": Category.DISEASE,
    "effect/phenotype": Category.PHENOTYPE,
    "gene/protein": Category.GENE,
    "biological_process": Category.PROCESS,
    "molecular_function": Category.ACTIVITY,
    "cellular_component": Category.COMPONENT,
    "exposure": Category.EXPOSURE,
    "anatomy": Category.ANATOMY,
    "pathway": Category.PATHWAY,
}
"""Node types; any other is `Category.OTHER`."""

_PADDED = {"HPO": "HP", "MONDO": "MONDO", "GO": "GO", "UBERON": "UBERON"}
_PLAIN = {"NCBI": "NCBIGENE", "DRUGBANK": "DRUGBANK", "REACTOME": "REACTOME", "CTD": "MESH"}
GROUPED = "MONDO_GROUPED"
"""Source of the nodes into which PrimeKG put several diseases of similar names."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a kind of edge states.

    Attributes:
        predicate, negated, note: of the statement.
        subject: node type of its subject; empty where the ends are of one type or the relation reads both ways.
        symmetric: it reads both ways, and the smaller id stands first.
        parent: for hierarchies, the end that stands first in PrimeKG's own direction, ``x`` (parent first) or ``y``.
        first: the node type that stands first in PrimeKG's own direction, where that is always the same one.
    """

    predicate: Predicate
    subject: str = ""
    note: str = ""
    negated: bool = False
    symmetric: bool = False
    parent: str = ""
    first: str = ""


_GENE, _DRUG, _DISEASE, _EXPOSURE = "gene/protein", "drug", "disease", "exposure"


def _gene_in(predicate: Predicate, *, negated: bool = False) -> Rule:
    return Rule(predicate, _GENE, negated=negated, first=_GENE)


def _both_ways(predicate: Predicate, note: str = "", first: str = "") -> Rule:
    return Rule(predicate, note=note, symmetric=True, first=first)


_RULES = {
    "protein_protein": _both_ways(Predicate.INTERACTS_WITH),
    "drug_drug": _both_ways(Predicate.INTERACTS_WITH, "synergistic interaction"),
    "drug_protein": _both_ways(Predicate.INTERACTS_WITH, first=_DRUG),
    "contraindication": Rule(Predicate.CONTRAINDICATED_IN, _DRUG, first=_DRUG),
    "indication": Rule(Predicate.TREATS, _DRUG, first=_DRUG),
    "off-label use": Rule(Predicate.TREATS, _DRUG, note="off-label use", first=_DRUG),
    "drug_effect": Rule(Predicate.HAS_SIDE_EFFECT, _DRUG, first=_DRUG),
    "disease_phenotype_positive": Rule(Predicate.HAS_PHENOTYPE, _DISEASE),
    "disease_phenotype_negative": Rule(Predicate.HAS_PHENOTYPE, _DISEASE, negated=True, first=_DISEASE),
    "disease_protein": _both_ways(Predicate.ASSOCIATED_WITH, first=_GENE),
    "phenotype_protein": _both_ways(Predicate.ASSOCIATED_WITH, first=_GENE),
    "molfunc_protein": _gene_in(Predicate.PARTICIPATES_IN),
    "bioprocess_protein": _gene_in(Predicate.PARTICIPATES_IN),
    "pathway_protein": _gene_in(Predicate.PARTICIPATES_IN),
    "cellcomp_protein": _gene_in(Predicate.LOCATED_IN),
    "anatomy_protein_present": _gene_in(Predicate.EXPRESSED_IN),
    "anatomy_protein_absent": _gene_in(Predicate.EXPRESSED_IN, negated=True),
    "exposure_disease": _both_ways(Predicate.ASSOCIATED_WITH, "linked to", first=_EXPOSURE),
    "exposure_protein": _both_ways(Predicate.ASSOCIATED_WITH, "exposure and marker", first=_EXPOSURE),
    "exposure_bioprocess": _both_ways(Predicate.ASSOCIATED_WITH, "exposure and process", first=_EXPOSURE),
    "exposure_molfunc": _both_ways(Predicate.ASSOCIATED_WITH, "exposure and function", first=_EXPOSURE),
    "exposure_cellcomp": _both_ways(Predicate.ASSOCIATED_WITH, "exposure and component", first=_EXPOSURE),
    # Shown as parent-child, but built from CTD's pairs of a stressor and the marker that was measured for it.
    "exposure_exposure": _both_ways(Predicate.RELATED_TO, "exposure and marker"),
    "disease_disease": Rule(Predicate.SUBCLASS_OF, parent="x"),
    "phenotype_phenotype": Rule(Predicate.SUBCLASS_OF, parent="x"),
    "bioprocess_bioprocess": Rule(Predicate.SUBCLASS_OF, parent="x"),
    "molfunc_molfunc": Rule(Predicate.SUBCLASS_OF, parent="x"),
    "cellcomp_cellcomp": Rule(Predicate.SUBCLASS_OF, parent="x"),
    "pathway_pathway": Rule(Predicate.PART_OF, parent="x"),
    "anatomy_anatomy": Rule(Predicate.SUBCLASS_OF, parent="y"),
}
"""By ``relation``; any other is `Predicate.RELATED_TO` both ways, its name in the note."""


def rule_of(relation: str, display: str, x_type: str, y_type: str) -> Rule:
    """Give what an edge of this relation between nodes of these types states."""
    rule = _RULES.get(relation)
    if rule is None or (rule.subject and (x_type == rule.subject) == (y_type == rule.subject)):
        return _both_ways(Predicate.RELATED_TO, f"{relation}: {display}"[:100] if display else relation[:100])
    if relation != "drug_protein":
        return rule
    if display == "target":
        return Rule(Predicate.AFFECTS, _DRUG, note="target", first=_DRUG) if x_type != y_type else rule
    return _both_ways(Predicate.INTERACTS_WITH, display[:100], first=_DRUG)


def curie(source: str, written: str) -> str:
    """Give a node's id as the graph writes it.

    >>> curie("HPO", "1250"), curie("NCBI", "9796.0"), curie("MONDO_grouped", "13924_12592_14672")
    ('HP:0001250', 'NCBIGENE:9796', 'PRIMEKG:13924_grouped')
    """
    key, text = source.strip().upper(), written.strip()
    if is_curie(text):
        return normalise(text)
    number = text[:-2] if text.endswith(".0") and text[:-2].isdecimal() else text
    if key in _PADDED:
        return f"{_PADDED[key]}:{number.zfill(7)}"
    if key in _PLAIN:
        return f"{_PLAIN[key]}:{number}"
    if key == GROUPED:
        return f"PRIMEKG:{text.partition('_')[0]}_grouped"
    return normalise(f"{key}:{text}")


def members(source: str, written: str) -> list[str]:
    """Give the diseases that a grouped node stands for; nothing for any other node."""
    if source.strip().upper() != GROUPED:
        return []
    return [f"MONDO:{part.zfill(7)}" for part in dict.fromkeys(written.strip().split("_")) if part]

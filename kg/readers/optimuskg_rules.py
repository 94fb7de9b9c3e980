"""What OptimusKG's ids, node types and relations are in the graph.

Types, relations and directions: https://github.com/mims-harvard/OptimusKG, ``docs/content/docs/graph-schema`` and the
code that makes them, ``optimuskg/pipelines/silver/nodes``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kg.readers.curies import is_curie, normalise
from kg.vocabulary import Category, Predicate

CATEGORIES = {
    "ANA": Category.ANATOMY,
    "BPO": Category.PROCESS,
    "CCO": Category.COMPONENT,
    "DIS": Category.DISEASE,
    "DRG": Category.DRUG,
    "EXP": Category.EXPOSURE,
    "GEN": Category.GENE,
    "MFN": Category.ACTIVITY,
    "PHE": Category.PHENOTYPE,
    "PWY": Category.PATHWAY,
}
"""Node types by label; any other is `Category.OTHER`."""

_BARE = (
    (re.compile(r"ENS[A-Z]*\d+"), "ENSEMBL"),
    (re.compile(r"CHEMBL\d+"), "CHEMBL.COMPOUND"),
    (re.compile(r"DB\d{5}"), "DRUGBANK"),
    (re.compile(r"R-[A-Z]{3}-\d+"), "REACTOME"),
    (re.compile(r"[CD]\d{6,9}"), "MESH"),
)
_UNDERSCORED = re.compile(r"([A-Za-z]+)_(\w+)")


@dataclass(frozen=True, slots=True)
class Rule:
    """What an edge states.

    Attributes:
        subject: label of the node type that its subject has; empty where it is the edge's ``from``.
        turned: its ``to`` is the subject (hierarchies, which run from the parent to the child).
        symmetric: it reads both ways, and the smaller id stands first.
    """

    predicate: Predicate
    subject: str = ""
    note: str = ""
    negated: bool = False
    turned: bool = False
    symmetric: bool = False


_RULES = {
    "EXPRESSION_PRESENT": Rule(Predicate.EXPRESSED_IN, "GEN"),
    "EXPRESSION_ABSENT": Rule(Predicate.EXPRESSED_IN, "GEN", negated=True),
    "PHENOTYPE_PRESENT": Rule(Predicate.HAS_PHENOTYPE, "DIS"),
    "PHENOTYPE_ABSENT": Rule(Predicate.HAS_PHENOTYPE, "DIS", negated=True),
    "INDICATION": Rule(Predicate.TREATS, "DRG"),
    "OFF_LABEL_USE": Rule(Predicate.TREATS, "DRG", "off-label use"),
    "CONTRAINDICATION": Rule(Predicate.CONTRAINDICATED_IN, "DRG"),
    "ADVERSE_DRUG_REACTION": Rule(Predicate.HAS_SIDE_EFFECT, "DRG"),
    "SYNERGISTIC_INTERACTION": Rule(Predicate.INTERACTS_WITH, note="synergistic interaction", symmetric=True),
    "ASSOCIATED_WITH": Rule(Predicate.ASSOCIATED_WITH, symmetric=True),
    "LINKED_TO": Rule(Predicate.ASSOCIATED_WITH, note="linked to", symmetric=True),
    "PARENT": Rule(Predicate.SUBCLASS_OF, turned=True),
    # Named after the child's view, but it runs from the parent to the child as well.
    "IS_A": Rule(Predicate.SUBCLASS_OF, turned=True),
}
_INTERACTIONS = {
    "GEN-GEN": Rule(Predicate.INTERACTS_WITH, symmetric=True),
    "BPO-GEN": Rule(Predicate.PARTICIPATES_IN, "GEN"),
    "MFN-GEN": Rule(Predicate.PARTICIPATES_IN, "GEN"),
    "PWY-GEN": Rule(Predicate.PARTICIPATES_IN, "GEN"),
    "CCO-GEN": Rule(Predicate.LOCATED_IN, "GEN"),
}
_BINDING = frozenset({"ENZYME", "TRANSPORTER", "CARRIER", "SUBSTRATE", "BINDING_AGENT", "OTHER"})


def rule_of(label: str, relation: str) -> Rule:
    """Give what an edge of this label (``DRG-DIS``) and relation (``INDICATION``) states."""
    name = "_".join(relation.upper().split())
    if label == "PWY-PWY" and name in ("PARENT", "IS_A"):
        return Rule(Predicate.PART_OF, turned=True)
    if label == "EXP-EXP":  # pairs of a stressor and the marker measured for it, put in order of their ids
        return Rule(Predicate.RELATED_TO, note="exposure and marker", symmetric=True)
    if name == "INTERACTS_WITH":
        exposed = Rule(Predicate.ASSOCIATED_WITH, note="exposure and marker", symmetric=True)
        return _INTERACTIONS.get(label) or (exposed if label.startswith("EXP-") else _unknown(relation))
    if label == "DRG-GEN" and name not in _RULES:
        shown = name.lower().replace("_", " ")[:100]
        if name in _BINDING:
            return Rule(Predicate.INTERACTS_WITH, note=shown, symmetric=True)
        return Rule(Predicate.AFFECTS, "DRG", shown)
    return _RULES.get(name) or _unknown(relation)


def _unknown(relation: str) -> Rule:
    return Rule(Predicate.RELATED_TO, note=relation[:100])


def curie(written: str) -> str:
    """Give a node's id as the graph writes it; nothing where what the file has makes none.

    >>> curie("MONDO_0005148"), curie("ENSG00000141510"), curie("Orphanet_558"), curie("CHEMBL25")
    ('MONDO:0005148', 'ENSEMBL:ENSG00000141510', 'ORPHA:558', 'CHEMBL.COMPOUND:CHEMBL25')
    """
    text = written.strip()
    found = normalise(text)
    if not is_curie(found):
        prefix = next((prefix for shape, prefix in _BARE if shape.fullmatch(text)), "")
        if prefix:
            found = f"{prefix}:{text}"
        elif match := _UNDERSCORED.fullmatch(text):
            found = normalise(f"{match[1]}:{match[2]}")
    return found if is_curie(found) else ""

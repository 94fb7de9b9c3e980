"""What Hetionet's ids, node types and edge types are in the graph.

Types and directions: https://github.com/hetio/hetionet, ``hetnet/json/hetionet-v1.0-metagraph.json`` and
``describe/edges/metaedges.tsv``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from kg.readers.curies import is_curie, normalise
from kg.vocabulary import Category, Predicate

KINDS: dict[str, tuple[Category, str]] = {
    "Anatomy": (Category.ANATOMY, "UBERON"),
    "Biological Process": (Category.PROCESS, "GO"),
    "Cellular Component": (Category.COMPONENT, "GO"),
    "Compound": (Category.DRUG, "DRUGBANK"),
    "Disease": (Category.DISEASE, "DOID"),
    "Gene": (Category.GENE, "NCBIGENE"),
    "Molecular Function": (Category.ACTIVITY, "GO"),
    "Pathway": (Category.PATHWAY, ""),
    "Pharmacologic Class": (Category.DRUG, "NDFRT"),
    "Side Effect": (Category.PHENOTYPE, "UMLS"),
    "Symptom": (Category.PHENOTYPE, "MESH"),
}
"""Category of each node type, and the vocabulary of its bare identifiers."""

_OWN = "HETIONET"
"""Prefix of identifiers that belong to no public vocabulary, such as the pathways ``PC7_…``."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What an edge type states; ``turned``: its target is the subject; ``symmetric``: the smaller id stands first."""

    predicate: Predicate
    note: str = ""
    turned: bool = False
    symmetric: bool = False


_RULES = {
    ("Anatomy", "expresses", "Gene"): Rule(Predicate.EXPRESSED_IN, turned=True),
    ("Anatomy", "upregulates", "Gene"): Rule(Predicate.EXPRESSED_IN, "upregulated", turned=True),
    # Less than elsewhere, which is neither expressed nor not expressed.
    ("Anatomy", "downregulates", "Gene"): Rule(Predicate.RELATED_TO, "downregulated in", turned=True),
    ("Compound", "binds", "Gene"): Rule(Predicate.INTERACTS_WITH, "binds", symmetric=True),
    ("Compound", "causes", "Side Effect"): Rule(Predicate.HAS_SIDE_EFFECT),
    ("Compound", "downregulates", "Gene"): Rule(Predicate.AFFECTS, "downregulates"),
    ("Compound", "palliates", "Disease"): Rule(Predicate.PALLIATES),
    ("Compound", "resembles", "Compound"): Rule(Predicate.SIMILAR_TO, symmetric=True),
    ("Compound", "treats", "Disease"): Rule(Predicate.TREATS),
    ("Compound", "upregulates", "Gene"): Rule(Predicate.AFFECTS, "upregulates"),
    ("Disease", "associates", "Gene"): Rule(Predicate.ASSOCIATED_WITH, symmetric=True),
    ("Disease", "downregulates", "Gene"): Rule(Predicate.AFFECTS, "downregulates"),
    ("Disease", "localizes", "Anatomy"): Rule(Predicate.LOCATED_IN),
    ("Disease", "presents", "Symptom"): Rule(Predicate.HAS_PHENOTYPE),
    ("Disease", "resembles", "Disease"): Rule(Predicate.SIMILAR_TO, symmetric=True),
    ("Disease", "upregulates", "Gene"): Rule(Predicate.AFFECTS, "upregulates"),
    ("Gene", "covaries", "Gene"): Rule(Predicate.ASSOCIATED_WITH, "covaries", symmetric=True),
    ("Gene", "interacts", "Gene"): Rule(Predicate.INTERACTS_WITH, symmetric=True),
    ("Gene", "participates", "Biological Process"): Rule(Predicate.PARTICIPATES_IN),
    ("Gene", "participates", "Cellular Component"): Rule(Predicate.LOCATED_IN),
    ("Gene", "participates", "Molecular Function"): Rule(Predicate.PARTICIPATES_IN),
    ("Gene", "participates", "Pathway"): Rule(Predicate.PARTICIPATES_IN),
    ("Gene", "regulates", "Gene"): Rule(Predicate.AFFECTS, "regulates"),
    ("Pharmacologic Class", "includes", "Compound"): Rule(Predicate.SUBCLASS_OF, turned=True),
}
"""By node type of the source, verb, and node type of the target."""

_TYPE_LETTERS = {
    "Anatomy": "A",
    "Biological Process": "BP",
    "Cellular Component": "CC",
    "Compound": "C",
    "Disease": "D",
    "Gene": "G",
    "Molecular Function": "MF",
    "Pathway": "PW",
    "Pharmacologic Class": "PC",
    "Side Effect": "SE",
    "Symptom": "S",
}
_VERB_LETTERS = {
    "associates": "a",
    "binds": "b",
    "causes": "c",
    "covaries": "c",
    "downregulates": "d",
    "expresses": "e",
    "includes": "i",
    "interacts": "i",
    "localizes": "l",
    "palliates": "p",
    "participates": "p",
    "presents": "p",
    "regulates": "r",
    "resembles": "r",
    "treats": "t",
    "upregulates": "u",
}
METAEDGES = {
    f"{_TYPE_LETTERS[source]}{_VERB_LETTERS[verb]}{'>' if verb == 'regulates' else ''}{_TYPE_LETTERS[target]}": rule
    for (source, verb, target), rule in _RULES.items()
}
"""Rules by the abbreviations of the tables (``CtD``, ``Gr>G``)."""


def rule_of(source_type: str, verb: str, target_type: str) -> Rule:
    """Give what an edge states; `Predicate.RELATED_TO` with its name in the note where that is not known."""
    return _RULES.get((source_type, verb, target_type)) or Rule(Predicate.RELATED_TO, verb[:100])


def rule_of_metaedge(abbreviation: str) -> Rule:
    """As `rule_of`, by abbreviation (``CtD``; ``D<tC`` and ``G<rG`` read from the other end are not Hetionet's)."""
    return METAEDGES.get(abbreviation) or Rule(Predicate.RELATED_TO, abbreviation[:100])


def category_of(kind: str) -> Category:
    """Give the category of a node type."""
    return KINDS[kind][0] if kind in KINDS else Category.OTHER


@lru_cache(maxsize=1 << 16)
def curie(kind: str, identifier: str) -> str:
    """Give a node's id as the graph writes it; nothing where what the file has makes none.

    >>> curie("Gene", "9021"), curie("Pathway", "WP1499_r71026"), curie("Pathway", "PC7_4518")
    ('NCBIGENE:9021', 'WIKIPATHWAYS:WP1499', 'HETIONET:PC7_4518')
    """
    text = identifier.strip()
    if kind == "Pathway" and text.startswith("WP"):
        found = f"WIKIPATHWAYS:{text.partition('_')[0]}"
    elif is_curie(text):
        found = normalise(text)
    else:
        found = f"{(KINDS[kind][1] if kind in KINDS else '') or _OWN}:{text}"
    return found if is_curie(found) else ""

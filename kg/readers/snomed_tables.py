"""SNOMED CT: what its semantic tags, attributes and reference sets mean in the graph.

Identifiers and tags are those of the International and US Editions, written from memory; the identifiers of reference
sets and those that occur in the files of ``SnomedCT_MiniRF2`` were compared.
"""

from __future__ import annotations

from kg.vocabulary import Category, Predicate

IS_A = 116680003

ATTRIBUTES: dict[int, tuple[Predicate, bool]] = {
    IS_A: (Predicate.SUBCLASS_OF, False),
    123005000: (Predicate.PART_OF, False),  # Part of
    363698007: (Predicate.LOCATED_IN, False),  # Finding site
    363704007: (Predicate.LOCATED_IN, False),  # Procedure site
    405813007: (Predicate.LOCATED_IN, False),  # Procedure site - Direct
    405814001: (Predicate.LOCATED_IN, False),  # Procedure site - Indirect
    246075003: (Predicate.CAUSES, True),  # Causative agent
    42752001: (Predicate.CAUSES, True),  # Due to
    255234002: (Predicate.PRECEDES, True),  # After
    288556008: (Predicate.PRECEDES, False),  # Before
    47429007: (Predicate.ASSOCIATED_WITH, False),  # Associated with
    363705008: (Predicate.HAS_PHENOTYPE, False),  # Has definitional manifestation
    127489000: (Predicate.HAS_ACTIVE_INGREDIENT, False),  # Has active ingredient
    762949000: (Predicate.HAS_ACTIVE_INGREDIENT, False),  # Has precise active ingredient
    246093002: (Predicate.MEASURES, False),  # Component (of an evaluation procedure)
}
"""Predicate of an attribute, and whether the statement is turned round; every other attribute is `RELATED_TO`."""

_TAGS = {
    Category.DISEASE: ("disorder",),
    Category.PHENOTYPE: ("finding",),
    Category.PROCEDURE: ("procedure", "regime/therapy"),
    Category.MEASUREMENT: ("observable entity",),
    Category.ANATOMY: ("body structure",),
    Category.CELL: ("cell",),
    Category.COMPONENT: ("cell structure",),
    Category.CHEMICAL: ("substance",),
    Category.DRUG: (
        "product",
        "medicinal product",
        "medicinal product form",
        "clinical drug",
        "packaged clinical drug",
        "real clinical drug",
        "real medicinal product",
        "real packaged clinical drug",
    ),
    Category.ORGANISM: ("organism",),
    Category.DEVICE: ("physical object",),
    Category.EXPOSURE: ("event", "physical force"),
    Category.BEHAVIOUR: ("life style",),
}
CATEGORIES = {tag: category for category, tags in _TAGS.items() for tag in tags}
"""Category by the tag at the end of the fully specified name; any other (situation, qualifier value …) is `OTHER`."""

FULL_NAME, SYNONYM = 900000000000003001, 900000000000013009
"""Types of description."""

INFERRED, ADDITIONAL = 900000000000011006, 900000000000227009
"""Characteristic types of the relationships that are read; stated ones follow from them."""

PREFERRED = 900000000000548007
"""Acceptability of a description in a language reference set."""

LANGUAGES = {"US": 900000000000509007, "GB": 900000000000508004}
"""Language reference sets by short name."""

SUCCESSORS = {900000000000527005: 0, 900000000000526001: 1}
"""Association reference sets SAME AS and REPLACED BY: the target takes the inactive concept's place."""

ALTERNATIVES = (900000000000523009, 900000000000530003, 1186924009, 1186921001)
"""POSSIBLY EQUIVALENT TO, ALTERNATIVE, POSSIBLY REPLACED BY, PARTIALLY EQUIVALENT TO: the target may be meant."""

MAPS = {447562003: "ICD10", 6011000124106: "ICD10CM"}
"""Extended map reference sets by the prefix of their targets."""

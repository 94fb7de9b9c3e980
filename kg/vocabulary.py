"""Categories and predicates of the graph, and how they appear in Cypher.

Biolink names where Biolink has one; the few that it lacks are the project's own, under ``clinragen:``.
"""

from __future__ import annotations

from enum import StrEnum


class Category(StrEnum):
    """What a concept is."""

    DISEASE = "biolink:Disease"
    PHENOTYPE = "biolink:PhenotypicFeature"
    MEASUREMENT = "biolink:ClinicalMeasurement"
    DRUG = "biolink:Drug"
    GENE = "biolink:Gene"
    PROCEDURE = "biolink:Procedure"
    ANATOMY = "biolink:AnatomicalEntity"
    EXPOSURE = "biolink:ExposureEvent"
    OTHER = "biolink:NamedThing"

    @property
    def label(self) -> str:
        """Second node label in Neo4j, such as ``Disease``."""
        return self.value.split(":", 1)[1]


class Predicate(StrEnum):
    """How a subject relates to an object."""

    SUBCLASS_OF = "biolink:subclass_of"
    """Subject is a kind of object; also an ICD code below a CCS group."""
    HAS_PHENOTYPE = "biolink:has_phenotype"
    """Disease shows phenotypic feature."""
    PREDISPOSES_TO = "biolink:predisposes_to_condition"
    """Risk factor (disease, phenotype, drug or exposure) makes disease more likely."""
    TREATS = "biolink:treats"
    """Drug or procedure treats disease."""
    CLOSE_MATCH = "biolink:close_match"
    """Two concepts mean nearly the same (a CCS group and the HPO term of that disease)."""
    HAS_COMPLICATION = "clinragen:has_complication"
    """Disease leads to disease or phenotype."""
    DIFFERENTIAL_WITH = "clinragen:differential_with"
    """Disease is to be told apart from disease (stated once, read both ways)."""
    HAS_HIGH_MEASUREMENT = "clinragen:has_high_measurement"
    """Disease raises lab or vital."""
    HAS_LOW_MEASUREMENT = "clinragen:has_low_measurement"
    """Disease lowers lab or vital."""
    HIGH_INDICATES = "clinragen:high_indicates"
    """A high value of lab or vital means phenotype."""
    LOW_INDICATES = "clinragen:low_indicates"
    """A low value of lab or vital means phenotype."""
    RELATED_TO = "biolink:related_to"
    """Anything that no other predicate says."""

    @property
    def relationship(self) -> str:
        """Relationship type in Cypher, such as ``HAS_PHENOTYPE``."""
        return self.name

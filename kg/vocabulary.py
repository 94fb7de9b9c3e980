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
    PROTEIN = "biolink:Protein"
    PATHWAY = "biolink:Pathway"
    PROCESS = "biolink:BiologicalProcess"
    ACTIVITY = "biolink:MolecularActivity"
    COMPONENT = "biolink:CellularComponent"
    CELL = "biolink:Cell"
    CHEMICAL = "biolink:ChemicalEntity"
    ORGANISM = "biolink:OrganismTaxon"
    DEVICE = "biolink:Device"
    BEHAVIOUR = "biolink:Behavior"
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
    NORMAL_INDICATES = "clinragen:normal_indicates"
    """A normal (or negative) value of lab or vital means phenotype; negated, as a rule: it speaks against it."""
    RELATED_TO = "biolink:related_to"
    """Anything that no other predicate says; the source's own name of it stands in the evidence's note."""
    PART_OF = "biolink:part_of"
    """Subject is a part of object."""
    LOCATED_IN = "biolink:located_in"
    """Disease, finding or procedure has its site in an anatomical entity."""
    CAUSES = "biolink:causes"
    """Subject (organism, exposure, disease, drug) brings about object."""
    HAS_SIDE_EFFECT = "biolink:has_side_effect"
    """Drug brings about phenotype or disease that it was not given for."""
    CONTRAINDICATED_IN = "biolink:contraindicated_in"
    """Drug or procedure must not be used in disease."""
    PALLIATES = "clinragen:palliates"
    """Drug eases disease without curing it."""
    DIAGNOSES = "biolink:diagnoses"
    """Procedure or measurement finds disease out."""
    ASSOCIATED_WITH = "biolink:associated_with"
    """Two things occur together more often than by chance; between gene and disease too."""
    SIMILAR_TO = "biolink:similar_to"
    """Two things of one kind resemble each other."""
    INTERACTS_WITH = "biolink:interacts_with"
    """Two genes, proteins or drugs act on each other."""
    AFFECTS = "biolink:affects"
    """Subject changes state or quantity of object (drug and target, regulator and gene)."""
    EXPRESSED_IN = "biolink:expressed_in"
    """Gene or protein is made in an anatomical entity or cell."""
    PARTICIPATES_IN = "biolink:participates_in"
    """Gene or chemical takes part in process, pathway or activity."""
    HAS_ACTIVE_INGREDIENT = "biolink:has_active_ingredient"
    """Drug product contains substance that acts."""
    HAS_INGREDIENT = "biolink:has_ingredient"
    """Drug product contains substance."""
    MANIFESTATION_OF = "biolink:manifestation_of"
    """Finding or disease shows another disease at work."""
    PRECEDES = "biolink:precedes"
    """Subject comes before object in time or course."""
    MEASURES = "biolink:assesses"
    """Measurement or procedure determines object (a substance, a function, a finding)."""

    @property
    def relationship(self) -> str:
        """Relationship type in Cypher, such as ``HAS_PHENOTYPE``."""
        return self.name

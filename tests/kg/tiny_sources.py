"""Tiny sources in each format, written to a directory, and the build of them."""

from __future__ import annotations

from pathlib import Path

from kg.build import BuildReport, build

OBO = """format-version: 1.2
data-version: hp/releases/2025-01-16
synonymtypedef: layperson "layperson term"
synonymtypedef: HP:0034334 "allelic_requirement"
ontology: hp.obo

[Term]
id: HP:0000001
name: All

[Term]
id: HP:0000118
name: Phenotypic abnormality
is_a: HP:0000001 ! All

[Term]
id: HP:0000005
name: Mode of inheritance
is_a: HP:0000001 ! All

[Term]
id: HP:0000006
name: Autosomal dominant inheritance
synonym: "monoallelic" RELATED HP:0034334 []
is_a: HP:0000005 ! Mode of inheritance

[Term]
id: HP:0001945
name: Fever
alt_id: HP:0009999
def: "Body temperature elevated above the \\"normal\\" range." [PMID:1, https://example.org/a\\,b]
synonym: "Pyrexia" EXACT [HPO:x]
synonym: "Hot {sic}" EXACT layperson []
synonym: "FUO" NARROW abbreviation [] {source="x"}
xref: SNOMEDCT_US_2025_09_01:386661006
xref: UMLS_CUI:C0015967 "Fever"
xref: PMID:123
is_a: HP:0000118 {is_inferred="true"} ! Phenotypic abnormality

[Term]
id: HP:0000100
name: Old fever
is_obsolete: true
replaced_by: HP:0001945

[Term]
id: HP:0012531
name: Pain
is_a: HP:0000118
relationship: part_of HP:0001945 ! Fever

[Typedef]
id: part_of
name: part of
"""

HPOA = """#description: "tiny"
#version: 2025-01-16
database_id\tdisease_name\tqualifier\thpo_id\treference\tevidence\tonset\tfrequency\tsex\tmodifier\taspect\tbiocuration
OMIM:1\tFirst disease\t\tHP:0001945\tPMID:1;PMID:2\tPCS\t\t3/4\t\t\tP\tHPO:x[2020-01-01]
OMIM:1\tFirst disease\t\tHP:0009999\tPMID:3\tPCS\tHP:0003577\tHP:0040282\tFEMALE\t\tP\tHPO:x[2020-01-01]
OMIM:1\tFirst disease\tNOT\tHP:0012531\tPMID:1\tTAS\t\t\t\t\tP\tHPO:x[2020-01-01]
OMIM:1\tFirst disease\t\tHP:0000006\tPMID:1\tTAS\t\t\t\t\tI\tHPO:x[2020-01-01]
Orphanet:2\tSecond disease\t\tHP:0012531\tORPHA:2\tTAS\t\t0/7\t\t\tP\tHPO:x[2020-01-01]
"""

ICD = """<?xml version="1.0" encoding="utf-8"?>
<ICD10CM.tabular><version>2026</version>
<chapter><name>14</name><desc>Diseases of the genitourinary system (N00-N99)</desc>
 <section id="N00-N39"><desc>Outer (N00-N39)</desc></section>
 <section id="N17-N19"><desc>Acute kidney failure (N17-N19)</desc>
  <diag><name>N17</name><desc>Acute kidney failure</desc>
   <codeAlso><note>associated condition</note></codeAlso>
   <diag><name>N17.0</name><desc>with tubular necrosis</desc>
    <inclusionTerm><note>Acute tubular necrosis</note><note>Renal tubular necrosis</note></inclusionTerm></diag>
   <diag><name>N17.9</name><desc>unspecified</desc></diag>
  </diag>
  <diag><name>N18</name><desc>Chronic kidney disease (CKD)</desc>
   <diag><name>N18.6</name><desc>End stage</desc></diag></diag>
  <diag><name>N19</name><desc>Unspecified kidney failure</desc></diag>
 </section>
</chapter>
<chapter><name>19</name><desc>Injury (S00-T88)</desc>
 <section id="S06"><desc>Intracranial injury</desc>
  <diag><name>S06</name><desc>Intracranial injury</desc>
   <sevenChrDef><extension char="A">initial encounter</extension><extension char="D">subsequent encounter</extension>
   <note>odd note</note></sevenChrDef>
   <notes><note>7th characters D and S do not apply to codes in category S06 with 6th character 7 - death before,
   or 8 - death after.</note></notes>
   <diag><name>S06.0</name><desc>Concussion</desc></diag>
   <diag><name>S06.1X7</name><desc>Edema with death</desc></diag>
   <diag><name>S06.2</name><desc>Own rule</desc>
    <sevenChrDef><extension char="1">one</extension></sevenChrDef>
    <diag><name>S06.21</name><desc>Below</desc></diag></diag>
  </diag></section></chapter>
</ICD10CM.tabular>
"""

BRIDGE = """@prefix crg: <urn:clinragen:vocab:> .
@prefix CRG: <urn:clinragen:concept:> .
@prefix CCS: <urn:clinragen:ccs:> .
@prefix HP: <http://purl.obolibrary.org/obo/HP_> .
@prefix LOINC: <https://loinc.org/> .
@prefix RXNORM: <http://purl.bioontology.org/ontology/RXNORM/> .
@prefix biolink: <https://w3id.org/biolink/vocab/> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix dcterms: <http://purl.org/dc/terms/> .

<urn:clinragen:tiny> dcterms:title "Tiny" ; dcterms:license "Apache-2.0" ;
  <http://www.w3.org/2002/07/owl#versionInfo> "2026-11-24" .

RXNORM:6809 a biolink:Drug ; rdfs:label "metformin" ; skos:altLabel "Glucophage" .
CRG:tobacco_use a biolink:ExposureEvent ; rdfs:label "tobacco use" ; skos:altLabel "smoker", "pack-year" .
HP:0001945 skos:altLabel "burning up" .
HP:0009876 skos:altLabel "nobody's name" .

crg:s1 a crg:Assertion ; crg:subject CCS:2 ; crg:predicate biolink:has_phenotype ; crg:object HP:0001945 ;
  crg:strength 0.8 ; dcterms:source <https://example.org/sepsis> ; crg:checked true ; rdfs:comment "often" .
crg:s2 a crg:Assertion ; crg:subject CCS:2 ; crg:predicate crg:has_high_measurement ; crg:object LOINC:32693-4 ;
  crg:strength 0.7 ; dcterms:source "a guideline" ; crg:checked false .
crg:s3 a crg:Assertion ; crg:subject CCS:2 ; crg:predicate crg:differential_with ; crg:object CCS:122 ;
  crg:strength 0.3 ; dcterms:source "a chapter" ; crg:checked false .
crg:s4 a crg:Assertion ; crg:subject CCS:122 ; crg:predicate crg:differential_with ; crg:object CCS:2 ;
  crg:strength 0.5 ; dcterms:source "another chapter" ; crg:checked false .
"""


def write_sources(directory: Path) -> list[str]:
    """Write all tiny sources; gives what `kg.build.build` takes."""
    directory.mkdir(parents=True, exist_ok=True)
    texts = {"hp.obo": OBO, "tiny.hpoa": HPOA, "icd.xml": ICD, "bridge.ttl": BRIDGE}
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8")
    return [
        f"obo:{directory}/hp.obo?name=hpo",
        f"hpoa:{directory}/tiny.hpoa?name=hpoa",
        f"icd10cm:{directory}/icd.xml?name=icd10cm",
        "series",
        f"bridge:{directory}/bridge.ttl",
        "phenotypes",
    ]


def build_tiny(directory: Path) -> tuple[list[str], Path, BuildReport]:
    """Build all tiny sources into ``directory/graph``."""
    sources = write_sources(directory / "sources")
    bundle = directory / "graph"
    return sources, bundle, build(sources, bundle)

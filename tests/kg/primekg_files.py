"""A small edge table of PrimeKG."""

from __future__ import annotations

HEADER = "relation,display_relation,x_index,x_id,x_type,x_name,x_source,y_index,y_id,y_type,y_name,y_source"


GENE = "9796,gene/protein,PHYHIP,NCBI"


GENE_2 = "56992,gene/protein,KIF15,NCBI"


DRUG = "DB00945,drug,Aspirin,DrugBank"


DRUG_2 = "DB00316,drug,Acetaminophen,DrugBank"


DISEASE = "5148,disease,type 2 diabetes mellitus,MONDO"


PARENT = "5015,disease,diabetes mellitus,MONDO"


GROUP = '13924_12592_14672,disease,"osteogenesis imperfecta, all types",MONDO_grouped'


FEVER = "1945,effect/phenotype,Fever,HPO"


PROCESS = "6954,biological_process,inflammatory response,GO"


PATHWAY, SUBPATHWAY = "R-HSA-109581,pathway,Apoptosis,REACTOME", "R-HSA-109606,pathway,Intrinsic,REACTOME"


LIVER, ORGAN = "2107,anatomy,liver,UBERON", "62,anatomy,organ,UBERON"


SMOKE = "D014028,exposure,Tobacco Smoke,CTD"


EDGES = [
    ("protein_protein", "ppi", GENE, GENE_2),
    ("drug_protein", "target", DRUG, GENE),
    ("drug_protein", "enzyme", DRUG_2, GENE),
    ("contraindication", "contraindication", DRUG, DISEASE),
    ("indication", "indication", DRUG_2, DISEASE),
    ("off-label use", "off-label use", DRUG, GROUP),
    ("drug_drug", "synergistic interaction", DRUG, DRUG_2),
    ("disease_phenotype_positive", "phenotype present", DISEASE, FEVER),
    ("disease_phenotype_negative", "phenotype absent", GROUP, FEVER),
    ("disease_protein", "associated with", GENE, DISEASE),
    ("disease_disease", "parent-child", PARENT, DISEASE),
    ("drug_effect", "side effect", DRUG, FEVER),
    ("bioprocess_protein", "interacts with", GENE, PROCESS),
    ("exposure_disease", "linked to", SMOKE, DISEASE),
    ("pathway_pathway", "parent-child", PATHWAY, SUBPATHWAY),
    ("anatomy_anatomy", "parent-child", LIVER, ORGAN),
    ("anatomy_protein_present", "expression present", GENE, LIVER),
    ("anatomy_protein_absent", "expression absent", GENE_2, LIVER),
    ("cures_in_mice", "", DRUG, DISEASE),
]


def rows(edges: list[tuple[str, str, str, str]] = EDGES, *, backwards: bool = True) -> list[str]:
    forth = [f"{relation},{shown},1,{x},2,{y}" for relation, shown, x, y in edges]
    return forth + [f"{relation},{shown},2,{y},1,{x}" for relation, shown, x, y in edges if backwards]

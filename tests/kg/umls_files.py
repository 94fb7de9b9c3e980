"""A small META directory of UMLS, made after the specification; names and ids are invented."""

from __future__ import annotations

from tests.kg.rrf_files import atom, relation, rrf

FEVER, COLD, VIRUS, PILL, GRAIN, NOSE = (f"C900000{n}" for n in range(1, 7))


OLD = "C9000099"


CONSO = (
    atom(FEVER, "Glow", "MSH", "MH", "D900001", AUI="A1")
    + atom(FEVER, "Warm glow", "MSH", "ET", "D900001", TS="S", AUI="A2")
    + atom(FEVER, "Glow (finding)", "SNOMEDCT_US", "FN", "900001", TS="S", SRL="9", AUI="A3")
    + atom(FEVER, "Glow", "HPO", "PT", "HP:9000001", ISPREF="N", AUI="A4")
    + atom(FEVER, "Glut", "MSHGER", "MH", "D900001", LAT="GER", AUI="A5")
    + atom(FEVER, "Glowe", "MSH", "ET", "D900001", TS="S", SUPPRESS="O", AUI="A6")
    + atom(COLD, "Sniffle disease", "SNOMEDCT_US", "PT", "900002", SRL="9", AUI="A7")
    + atom(COLD, "Sniffles", "ICD10CM", "PT", "N17.9", TS="S", AUI="A8")
    + atom(VIRUS, "Sniffle virus", "SNOMEDCT_US", "PT", "900003", SRL="9")
    + atom(PILL, "Sniffol 5 MG", "RXNORM", "SCD", "900004")
    + atom(GRAIN, "Sniffol", "RXNORM", "IN", "900005")
    + atom(GRAIN, "sniffol|".rstrip("|"), "MTH", "PN", "NOCODE", TS="S")
    + atom(NOSE, "Nose", "SNOMEDCT_US", "PT", "900006", SRL="9")
    + atom(NOSE, "Entry for glow", "MSH", "ET", "D900001")
)


STY = "".join(
    rrf("MRSTY.RRF", CUI=cui, TUI=tui)
    for cui, tui in (
        (FEVER, "T184"),
        (COLD, "T047"),
        (COLD, "T033"),
        (VIRUS, "T005"),
        (PILL, "T200"),
        (GRAIN, "T109"),
        (GRAIN, "T121"),
        (NOSE, "T999"),
    )
)


REL = (
    relation(COLD, "has_manifestation", FEVER, "HPO")
    + relation(FEVER, "manifestation_of", COLD, "HPO")
    + relation(GRAIN, "may_treat", COLD, "MED-RT")
    + relation(COLD, "may_be_treated_by", GRAIN, "MED-RT")
    + relation(COLD, "has_causative_agent", VIRUS)
    + relation(VIRUS, "causative_agent_of", COLD)
    + relation(COLD, "has_finding_site", NOSE)
    + relation(NOSE, "finding_site_of", COLD)
    + relation(PILL, "has_ingredient", GRAIN, "RXNORM")
    + relation(GRAIN, "ingredient_of", PILL, "RXNORM")
    + relation(COLD, "isa", FEVER, rel="CHD", AUI1="A1", AUI2="A7")
    + relation(COLD, "isa", FEVER, rel="CHD", AUI1="A2", AUI2="A7")
    + relation(FEVER, "inverse_isa", COLD, rel="PAR")
    + rrf("MRREL.RRF", CUI1=NOSE, REL="CHD", CUI2=FEVER, SAB="MSH")
    + rrf("MRREL.RRF", CUI1=FEVER, REL="PAR", CUI2=NOSE, SAB="MSH")
    + rrf("MRREL.RRF", CUI1=FEVER, REL="RB", CUI2=VIRUS, SAB="MTH")
    + rrf("MRREL.RRF", CUI1=VIRUS, REL="RN", CUI2=FEVER, SAB="MTH")
    + relation(FEVER, "glows_with", NOSE)
    + relation(NOSE, "is_lit_by", FEVER)
    + relation(FEVER, "disease_excludes_finding", NOSE, "NCI")
    + rrf("MRREL.RRF", CUI1=FEVER, REL="SY", CUI2=FEVER, SAB="MSH")
    + rrf("MRREL.RRF", CUI1=FEVER, REL="AQ", CUI2=NOSE, SAB="MSH")
    + rrf("MRREL.RRF", CUI1=FEVER, REL="RO", CUI2=VIRUS, SAB="MSH")
    + rrf("MRREL.RRF", CUI1=VIRUS, REL="RO", CUI2=FEVER, SAB="MSH")
    + relation(GRAIN, "may_prevent", FEVER, "MED-RT", SUPPRESS="O")
    + relation(GRAIN, "may_treat", "C9999999", "MED-RT")
)


FILES: dict[str, str | bytes] = {
    "MRCONSO.RRF": CONSO,
    "MRSTY.RRF": STY,
    "MRREL.RRF": REL,
    "MRDEF.RRF": rrf("MRDEF.RRF", CUI=FEVER, SAB="CSP", DEF="Second best.")
    + rrf("MRDEF.RRF", CUI=FEVER, SAB="MSHGER", DEF="Warm.")
    + rrf("MRDEF.RRF", CUI=FEVER, SAB="MSH", DEF="Old.", SUPPRESS="O")
    + rrf("MRDEF.RRF", CUI=FEVER, SAB="NCI", DEF="Being warm to the touch.")
    + rrf("MRDEF.RRF", CUI=COLD, SAB="XYZ", DEF="Any."),
    "MRSAB.RRF": rrf("MRSAB.RRF", RSAB="MSHGER", LAT="GER", SRL="3")
    + rrf("MRSAB.RRF", RSAB="CSP", LAT="ENG")
    + rrf("MRSAB.RRF", RSAB="XYZ", LAT="ENG")
    + rrf("MRSAB.RRF", RSAB="NCI", LAT="ENG", SRL="0")
    + rrf("MRSAB.RRF", RSAB="MTH", LAT="ENG", SRL="0", SVER="2099AA")
    + rrf("MRSAB.RRF", RSAB="MED-RT", LAT="ENG", SRL="2"),
    "MRCUI.RRF": rrf("MRCUI.RRF", CUI1=OLD, REL="SY", CUI2=FEVER)
    + rrf("MRCUI.RRF", CUI1="C9000098", REL="RO", CUI2=FEVER)
    + rrf("MRCUI.RRF", CUI1="C9000097", REL="DEL"),
    "MERGEDCUI.RRF": rrf("MERGEDCUI.RRF", CUI1="C9000096", CUI2=COLD) + rrf("MERGEDCUI.RRF", CUI1=OLD, CUI2=FEVER),
}

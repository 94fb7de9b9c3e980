"""A small directory of RxNorm, made after the specification; names and ids are invented."""

from __future__ import annotations

from tests.kg.rrf_files import rrf

GRAIN, BRAND, TABLET, BRANDED, FORM, STRIP = (str(n) for n in range(90001, 90007))


def drug(cui: str, text: str, tty: str, sab: str = "RXNORM", code: str = "", **values: str) -> str:
    return rrf(
        "RXNCONSO.RRF", CUI=cui, STR=text, SAB=sab, TTY=tty, CODE=code or cui, TS="", STT="", ISPREF="", **values
    )


def related(second: str, rela: str, first: str, sab: str = "RXNORM", rel: str = "RO", **values: str) -> str:
    return rrf("RXNREL.RRF", CUI1=first, CUI2=second, REL=rel, RELA=rela, SAB=sab, **values)


FILES: dict[str, str | bytes] = {
    "RXNCONSO.RRF": drug(GRAIN, "sniffol", "IN", AUI="1")
    + drug(GRAIN, "SNIFFOL", "SU", "MTHSPL", "0XYZ")
    + drug(GRAIN, "sniffol", "IN", "ATC", "X01AA01")
    + drug(GRAIN, "Sniffol", "PT", "SNOMEDCT_US", "900001")
    + drug(GRAIN, "Sniffol acid", "SY", "SNOMEDCT_US", "900002")
    + drug(BRAND, "Glowless", "BN", AUI="2")
    + drug(TABLET, "sniffol 5 MG Oral Tablet synonym", "SY")
    + drug(TABLET, "sniffol 5 MG tablet", "PSN")
    + drug(TABLET, "sniffol 5 MG Oral Tablet", "SCD", AUI="3")
    + drug(BRANDED, "sniffol 5 MG Oral Tablet [Glowless]", "SBD", AUI="4")
    + drug(FORM, "Oral Tablet", "DF")
    + drug(STRIP, "glow test strip", "SCD")
    + drug("90007", "other source only", "PT", "VANDF", "4001")
    + drug("90008", "withdrawn", "IN", SUPPRESS="O"),
    "RXNREL.RRF": related(TABLET, "has_ingredient", GRAIN)
    + related(GRAIN, "ingredient_of", TABLET)
    + related(BRANDED, "tradename_of", TABLET)
    + related(TABLET, "has_tradename", BRANDED)
    + related(TABLET, "has_dose_form", FORM)
    + related(FORM, "dose_form_of", TABLET)
    + related("", "has_ingredient", "", AUI2="4", AUI1="2")
    + related("", "has_ingredient", "", AUI2="4", AUI1="77")
    + related(GRAIN, "isa", "90007", "VANDF")
    + related("C9000001", "", GRAIN, rel="SY")
    + related(GRAIN, "isa", "90999"),
    "RXNSTY.RRF": rrf("RXNSTY.RRF", CUI=STRIP, TUI="T074")
    + rrf("RXNSTY.RRF", CUI=TABLET, TUI="T074")
    + rrf("RXNSTY.RRF", CUI=TABLET, TUI="T200"),
    "RXNSAT.RRF": rrf("RXNSAT.RRF", CUI=TABLET, ATN="NDC", SAB="RXNORM", ATV="00000000001")
    + rrf("RXNSAT.RRF", CUI=TABLET, ATN="NDC", SAB="VANDF", ATV="00000000002")
    + rrf("RXNSAT.RRF", CUI=TABLET, ATN="RXN_STRENGTH", SAB="RXNORM", ATV="5 MG"),
    "RXNCUI.RRF": rrf("RXNCUI.RRF", CUI1="80001", CARDINALITY="1", CUI2=GRAIN)
    + rrf("RXNCUI.RRF", CUI1="80002", CARDINALITY="2", CUI2=GRAIN)
    + rrf("RXNCUI.RRF", CUI1=TABLET, CARDINALITY="1", CUI2=TABLET),
    "RXNSAB.RRF": rrf("RXNSAB.RRF", RSAB="RXNORM", SVER="99AA_990104F"),
}

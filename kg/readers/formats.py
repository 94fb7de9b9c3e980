"""Every format that can be read, by name; a new one is a module with a `FORMAT` and a line here."""

from __future__ import annotations

from kg.readers import (
    bridge,
    ccs,
    ccsr,
    gems,
    hetionet,
    hpoa,
    icd9cm,
    icd10cm,
    icd10cm_order,
    kgx,
    loinc,
    loinc2hpo,
    mimic_icd,
    names,
    obo,
    optimuskg,
    phenotypes,
    primekg,
    rxnorm,
    series,
    snomed,
    umls,
)
from kg.readers.source import Format

FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        obo.FORMAT,
        hpoa.FORMAT,
        icd10cm.FORMAT,
        icd10cm_order.FORMAT,
        icd9cm.FORMAT,
        mimic_icd.FORMAT,
        ccs.FORMAT,
        ccsr.FORMAT,
        gems.FORMAT,
        loinc.FORMAT,
        loinc2hpo.FORMAT,
        names.FORMAT,
        bridge.FORMAT,
        series.FORMAT,
        phenotypes.FORMAT,
        primekg.FORMAT,
        umls.FORMAT,
        rxnorm.FORMAT,
        snomed.FORMAT,
        hetionet.FORMAT,
        kgx.FORMAT,
        optimuskg.FORMAT,
    )
}

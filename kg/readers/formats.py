"""Every format that can be read, by name; a new one is a module with a `FORMAT` and a line here."""

from __future__ import annotations

from kg.readers import (
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
    obographs,
    optimuskg,
    owl,
    phenotypes,
    primekg,
    rxnorm,
    series,
    skos,
    snomed,
    sssom,
    umls,
)
from kg.readers.records import Records
from kg.readers.source import Context, Format, Source


def _read_bridge(source: Source, _: Context) -> Records:
    from kg.readers.bridge import read_bridge  # rdflib takes half a second to import, and most builds change nothing

    return read_bridge(source.path, source.name)


_BRIDGE = Format(
    name="bridge",
    read=_read_bridge,
    title="curated statements in this project's own RDF terms",
    specification="docs/bridge.md of this project",
    example="bridge:mine.ttl",
    met="the built-in bridge",
)

FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        obo.FORMAT,
        obographs.FORMAT,
        owl.FORMAT,
        skos.FORMAT,
        sssom.FORMAT,
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
        _BRIDGE,
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

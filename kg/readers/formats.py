"""Every format that can be read, by name; a new one is a module with a `FORMAT` and a line here."""

from __future__ import annotations

from kg.readers import bridge, hpoa, icd10cm, obo, obographs, owl, phenotypes, series, skos, sssom
from kg.readers.source import Format

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
        bridge.FORMAT,
        series.FORMAT,
        phenotypes.FORMAT,
    )
}

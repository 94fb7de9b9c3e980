"""Every format that can be read, by name; a new one is a module with a `FORMAT` and a line here."""

from __future__ import annotations

from kg.readers import bridge, hetionet, hpoa, icd10cm, kgx, obo, optimuskg, phenotypes, primekg, series
from kg.readers.source import Format

FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        obo.FORMAT,
        hpoa.FORMAT,
        icd10cm.FORMAT,
        bridge.FORMAT,
        series.FORMAT,
        phenotypes.FORMAT,
        primekg.FORMAT,
        hetionet.FORMAT,
        kgx.FORMAT,
        optimuskg.FORMAT,
    )
}

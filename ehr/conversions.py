"""How a value in a hospital's unit is turned into the unit of its series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from ehr.records import package_records
from ehr.series import load_series, series_by_code
from ehr.units import convert_ucum, known_ucum_units, normalise_unit


@dataclass(frozen=True, slots=True)
class Conversion:
    """Turns a source's value into the series' unit: ``(value + shift) * factor``."""

    shift: float = 0.0
    factor: float = 1.0

    def __call__(self, value: float) -> float:
        """Convert one value."""
        return (value + self.shift) * self.factor


@lru_cache(maxsize=1)
def _conversions() -> Mapping[tuple[str, str, str], Conversion]:
    found: dict[tuple[str, str, str], Conversion] = {}
    for _, row in package_records("units.csv", ("code", "from", "to", "shift", "factor")):
        key = (row["code"], normalise_unit(row["from"]), normalise_unit(row["to"]))
        found[key] = Conversion(float(row["shift"]), float(row["factor"]))
    return found


def known_units() -> list[str]:
    """Give every normalised unit that some series can be read from."""
    found = {source for _, source, _ in _conversions()} | {normalise_unit(s.unit) for s in load_series()}
    return sorted(found | set(known_ucum_units()))


def conversion(code: str, unit: str, target: str | None = None) -> Conversion | None:
    """Give how a value of a series in ``unit`` is turned into the series' own unit.

    ``ehr/units.csv`` comes first: it has what only a code tells (mmol/L of glucose in mg/dL) and hospitals' own words.
    Other units are converted by pint where their dimensions agree (`ehr.units`).

    Args:
        code: LOINC CURIE of the series.
        unit: unit as a hospital writes it; case, blanks and degree signs do not matter.
        target: the series' unit, by default that of the package's series of this code.

    Returns:
        None where the two units do not fit.
    """
    wanted = target if target is not None else series_by_code()[code].unit
    source, end = normalise_unit(unit), normalise_unit(wanted)
    if source == end:
        return Conversion()
    table = _conversions()
    found = table.get((code, source, end)) or table.get(("", source, end))
    if found is None:
        scaled = convert_ucum(source, end)
        found = Conversion(*scaled) if scaled is not None else None
    return found

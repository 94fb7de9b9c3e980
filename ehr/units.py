"""Units as hospitals write them, and conversion by dimension.

``ehr/ucum.csv`` lists units of UCUM (The Unified Code for Units of Measure, 2.1) with the same unit in pint's words;
pint says whether two of them measure the same and by which line one is turned into the other.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pint

_EMPTY_UNITS = frozenset({"", "none", "n/a", "na", "null"})
_SIGNS = "°?*^.[]"


def normalise_unit(unit: str) -> str:
    """Give a unit without what hospitals write differently: case, blanks, degree signs, Greek mu, powers.

    >>> normalise_unit("mm Hg"), normalise_unit("°F"), normalise_unit("10*3/µL"), normalise_unit("None")
    ('mmhg', 'f', '103/ul', '')
    """
    text = "".join(unit.split()).lower().replace("µ", "u").replace("μ", "u")
    for sign in _SIGNS:
        text = text.replace(sign, "")
    return "" if text in _EMPTY_UNITS else text


@lru_cache(maxsize=1)
def _ucum() -> Mapping[str, str]:
    rows = csv.DictReader((files("ehr") / "ucum.csv").read_text(encoding="utf-8").splitlines())
    return {normalise_unit(row["unit"]): row["pint"] for row in rows}


def known_ucum_units() -> list[str]:
    """Give every normalised unit of ``ehr/ucum.csv``, sorted."""
    return sorted(_ucum())


@lru_cache(maxsize=4096)
def convert_ucum(source: str, target: str) -> tuple[float, float] | None:
    """Give ``(shift, factor)`` so that ``(value + shift) * factor`` turns ``source`` into ``target``.

    Args:
        source: normalised unit.
        target: normalised unit.

    Returns:
        None where a unit is not known or the two do not measure the same.
    """
    words = _ucum()
    if source not in words or target not in words:
        return None
    registry = _registry()
    start, end = (_unit(words[name]) for name in (source, target))
    if start.dimensionality != end.dimensionality:
        return None
    zero, one = (
        float(registry.Quantity(value * start.magnitude, start.units).to(end.units).magnitude / end.magnitude)
        for value in (0.0, 1.0)
    )
    factor = one - zero
    return round(zero / factor, 9) + 0.0, float(f"{factor:.12g}")


def _unit(words: str) -> pint.Quantity[float]:
    """Give one of a unit; a scale before it (``1000/microliter``) is its magnitude."""
    registry = _registry()
    number, slash, rest = words.partition("/")
    if slash and number.replace("e", "").replace(".", "").isdigit():
        return registry.Quantity(float(number), registry.Unit(f"1/({rest})" if rest else ""))
    return registry.Quantity(1.0, registry.Unit(words))


@lru_cache(maxsize=1)
def _registry() -> pint.UnitRegistry[float]:
    import pint

    registry: pint.UnitRegistry[float] = pint.UnitRegistry(autoconvert_offset_to_baseunit=True)
    registry.define("international_unit = [biological_activity]")
    return registry

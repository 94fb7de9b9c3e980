"""What a code of a MEDS data set means: the standard leaves codes to whoever writes the data.

Sources: the README of MEDS 0.4; the event configuration of MIMIC_IV_MEDS 0.2.0, whose codes carry MIMIC-IV's item
numbers (``LAB//RESULT//50912//mg/dL``); vocabularies of OMOP as ``VOCABULARY/code`` (``ICD10CM/I10``). The forms stand
in ``ehr/codes_meds.csv``; what else a code means may be said by ``parent_codes`` of the data set.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files

from ehr.items import SeriesItem, load_items

TABLE = "data"
"""Name of the one table of a MEDS data set, as in ``source_row``."""

_BY_DESCRIPTION = ("procedure",)
_NUMBER = re.compile(r"\w*\d{3,}\w*")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one code means.

    Attributes:
        code: as it stands in the data.
        kind: one of the kinds in ``ehr/codes_meds.csv``, or ``series``.
        value: ICD or SNOMED code, type of admission, drug, sex (``F``, ``M``), unit or procedure.
        version: of ICD-CM (``9``, ``10``), else None.
        unit: unit that the code states.
        detail: where the patient was admitted from.
    """

    code: str
    kind: str
    value: str | None = None
    version: str | None = None
    unit: str | None = None
    detail: str | None = None


@lru_cache(maxsize=1)
def _forms() -> tuple[tuple[str, re.Pattern[str]], ...]:
    text = (files("ehr") / "codes_meds.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return tuple((row["kind"], re.compile(row["pattern"], re.IGNORECASE | re.DOTALL)) for row in rows)


def read_code(code: str) -> Meaning | None:
    """Read a code by its form alone; None where no form fits.

    >>> found = read_code("DIAGNOSIS//ICD//9//4019")
    >>> found.kind, found.version, found.value
    ('diagnosis', '9', '4019')
    """
    for kind, form in _forms():
        match = form.fullmatch(code)
        if match:
            parts = {name: text.strip() for name, text in match.groupdict().items() if text and text.strip()}
            parts = {name: text for name, text in parts.items() if text.upper() != "UNK"}
            if kind == "sex":
                parts["value"] = parts["value"][0].upper()
            return Meaning(code, kind, **parts)
    return None


def read_codes(
    codes: Iterable[str],
    parents: Mapping[str, Sequence[str]],
    descriptions: Mapping[str, str],
    *,
    mimic_items: bool,
) -> Iterator[Meaning]:
    """Read the codes of a data set; those that nothing is known of are passed over.

    Args:
        codes: distinct codes of the data.
        parents: ``parent_codes`` by code, from ``metadata/codes.parquet``.
        descriptions: ``description`` by code, from there too.
        mimic_items: whether numbers of ``LAB//`` codes are MIMIC-IV's items.
    """
    for code in codes:
        own = read_code(code)
        if own is not None and (own.kind != "item" or mimic_items):
            yield from _named(own, descriptions.get(code))
            continue
        for parent in parents.get(code, ()):
            inherited = read_code(parent)
            # An admission or a birth is stated by its own code; only vocabularies are inherited.
            if inherited is not None and inherited.kind in ("diagnosis", "snomed", "loinc"):
                unit = own.unit if own is not None else None
                yield replace(inherited, code=code, unit=unit or inherited.unit)


def _named(meaning: Meaning, description: str | None) -> Iterator[Meaning]:
    """Name what the code gives a mere number for, where the data set describes it."""
    if meaning.kind in _BY_DESCRIPTION or (meaning.kind == "drug" and _NUMBER.fullmatch(meaning.value or "")):
        if description:
            yield replace(meaning, value=description)
    else:
        yield meaning


def series_items(meanings: Sequence[Meaning], by_loinc: Sequence[SeriesItem]) -> tuple[SeriesItem, ...]:
    """Give one item for each code of the data that holds values of a series.

    Args:
        meanings: of the data set's codes.
        by_loinc: items whose id is a LOINC code.

    MIMIC-IV's own items come before LOINC codes: they tell an arterial line from a cuff, which one LOINC code does not.
    """
    codes: dict[tuple[str, str | None], list[str]] = {}
    for meaning in meanings:
        codes.setdefault((meaning.kind, meaning.value), []).append(meaning.code)
    found: dict[str, SeriesItem] = {}
    for kind, items in (("item", load_items("mimic_iv")), ("loinc", by_loinc)):
        for item in items:
            for code in sorted(codes.get((kind, item.itemid), ())):
                found.setdefault(code, replace(item, table=TABLE, itemid=code))
    return tuple(found.values())

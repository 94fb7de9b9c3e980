"""The labs and vitals (``ehr/series.csv``) as concepts, ``LOINC:…``."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from ehr.errors import InputError
from kg.readers.curies import is_curie, normalise
from kg.readers.lines import Damaged, read_lines
from kg.readers.records import Header, Records, Reject
from kg.readers.source import Format
from kg.types import Concept, Synonym
from kg.vocabulary import Category

_NEEDED = ("code", "name", "short", "kind", "unit", "low", "high")


def _definition(row: dict[str, str]) -> str:
    kind = {"vital": "Vital sign", "lab": "Laboratory value"}.get(row["kind"], row["kind"].capitalize())
    text = f"{kind}, in {row['unit']}"
    if row["low"] and row["high"]:
        return f"{text}; reference range {row['low']} to {row['high']}."
    return f"{text}."


def read_series(path: Path, source: str) -> Records:
    """Read the series' definitions.

    Raises:
        InputError: where the file cannot be read or a needed column is missing.
    """

    def lines() -> Iterator[str]:
        for number, text in read_lines(path):
            if isinstance(text, Damaged):
                raise InputError(text.reason, where=f"{path} line {number}")
            yield text

    reader = csv.DictReader(lines())
    missing = [name for name in _NEEDED if name not in (reader.fieldnames or ())]
    if missing:
        raise InputError(f"no column {missing[0]!r}", where=path, remedy=f"expected {', '.join(_NEEDED)}")
    yield Header()
    for number, row in enumerate(reader, start=2):
        code = normalise(row["code"] or "")
        if not is_curie(code) or any(row[name] is None for name in _NEEDED):
            yield Reject(f"line {number}", "no CURIE in column code, or too few columns")
            continue
        synonyms = (Synonym(row["short"], "exact", "abbreviation"),) if row["short"] != row["name"] else ()
        yield Concept(code, Category.MEASUREMENT, row["name"], source, synonyms, _definition(row))


FORMAT = Format(
    name="series",
    read=lambda source, _: read_series(source.path, source.name),
    title="labs and vitals of this project",
    specification="ehr/series.csv of this project",
    example="series:series.csv",
    met="the built-in table",
)

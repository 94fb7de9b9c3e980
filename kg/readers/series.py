"""The labs and vitals (``ehr/series.csv``) as concepts, ``LOINC:…``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kg.readers.curies import is_curie, normalise
from kg.readers.records import Header, Records, Reject
from kg.readers.source import Format
from kg.readers.tabular import read_table
from kg.types import Concept, Synonym
from kg.vocabulary import Category

WHAT = "a table of series (ehr/series.csv)"
_NEEDED = ("code", "name", "short", "kind", "unit", "low", "high")


def _definition(row: Mapping[str, str]) -> str:
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
    yield Header()
    for row in read_table(path, needed=_NEEDED, what=WHAT):
        if isinstance(row, Reject):
            yield row
            continue
        code = normalise(row["code"])
        if not is_curie(code):
            yield Reject(f"line {row.line}", f"code {row['code'][:40]!r} is no id such as LOINC:8867-4")
            continue
        synonyms = (Synonym(row["short"], "exact", "abbreviation"),) if row["short"] not in ("", row["name"]) else ()
        yield Concept(code, Category.MEASUREMENT, row["name"], source, synonyms, _definition(row.cells))


FORMAT = Format(
    name="series",
    read=lambda source, _: read_series(source.path, source.name),
    title="labs and vitals of this project",
    specification="ehr/series.csv of this project",
    example="series:series.csv",
    met="the built-in table",
)

"""The series (labs and vitals) that the project reads; their items are `ehr.items`, their units `ehr.conversions`."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ehr.errors import InputError
from ehr.records import optional_number, own_records, package_records


@dataclass(frozen=True, slots=True)
class SeriesDefinition:
    """One lab or vital.

    Attributes:
        code: LOINC code as a CURIE.
        name, short: names for text and for plots.
        kind: ``lab`` or ``vital``.
        unit: UCUM unit of every stored value.
        low, high: reference range of adults, None where there is none (body weight).
        plausible_low, plausible_high: values outside are measurement or typing errors and are dropped.
        paper: True for the eleven series of the ClinRaGen paper.
    """

    code: str
    name: str
    short: str
    kind: str
    unit: str
    low: float | None
    high: float | None
    plausible_low: float
    plausible_high: float
    paper: bool


_COLUMNS = ("code", "name", "short", "kind", "unit", "low", "high", "plausible_low", "plausible_high", "paper")
_LOINC = re.compile(r"(?:LOINC:)?(\d{1,7}-\d)", re.IGNORECASE)


def _definition(row: Mapping[str, str]) -> SeriesDefinition:
    return SeriesDefinition(
        code=row["code"],
        name=row["name"],
        short=row["short"],
        kind=row["kind"],
        unit=row["unit"],
        low=optional_number(row["low"]),
        high=optional_number(row["high"]),
        plausible_low=float(row["plausible_low"]),
        plausible_high=float(row["plausible_high"]),
        paper=row["paper"] == "true",
    )


@lru_cache(maxsize=1)
def load_series() -> tuple[SeriesDefinition, ...]:
    """Read the series that the package carries, in the file's order."""
    return tuple(_definition(row) for _, row in package_records("series.csv", _COLUMNS))


def choose_series(choice: str) -> tuple[SeriesDefinition, ...]:
    """Give the series that are asked for.

    Args:
        choice: ``paper`` (the paper's eleven), ``all`` that the package carries, or the path of a CSV file with a
            column ``code`` (LOINC, with or without prefix) and, for codes that the package does not know, ``unit``
            and, where wanted, the other columns of ``ehr/series.csv``. Without plausible ends any finite value is kept.

    Raises:
        InputError: for a file that is not there or not of that form.
    """
    if choice == "all":
        return load_series()
    if choice == "paper":
        return tuple(definition for definition in load_series() if definition.paper)
    path = Path(choice)
    if not path.suffix and not path.exists():
        raise InputError(f"unknown set of series {choice!r}", remedy="expected paper, all or a CSV file")
    return read_series(path)


def loinc_curie(code: str) -> str | None:
    """Give a LOINC code, with or without prefix, as a CURIE; None where it is none.

    >>> loinc_curie("2160-0"), loinc_curie("creatinine")
    ('LOINC:2160-0', None)
    """
    match = _LOINC.fullmatch(code)
    return f"LOINC:{match[1]}" if match else None


def read_series(path: Path) -> tuple[SeriesDefinition, ...]:
    """Read a file of series; see `choose_series`."""
    found: dict[str, SeriesDefinition] = {}
    for line, row in own_records(path, ("code",)):
        where = f"{path} line {line}"
        code = loinc_curie(row["code"])
        if code is None:
            raise InputError(f"{row['code']!r} is no LOINC code", where=where, remedy="expected such as 2160-0")
        known = series_by_code().get(code)
        base = _as_row(known) if known is not None else dict.fromkeys(_COLUMNS, "")
        whole = base | {key: value for key, value in row.items() if value and key in _COLUMNS} | {"code": code}
        if not whole["unit"]:
            raise InputError(f"the package does not know {code}", where=where, remedy="give its unit in a column unit")
        whole["name"] = whole["name"] or code
        defaults = {"short": whole["name"], "kind": "lab", "plausible_low": "-inf", "plausible_high": "inf"}
        try:
            found[code] = _definition(whole | {key: whole[key] or value for key, value in defaults.items()})
        except ValueError as error:
            raise InputError("a limit is no number", where=where) from error
    if not found:
        raise InputError("no series in it", where=path)
    return tuple(found.values())


def _as_row(definition: SeriesDefinition) -> dict[str, str]:
    values = {name: getattr(definition, name) for name in _COLUMNS}
    return {k: "" if v is None else str(v).lower() if isinstance(v, bool) else str(v) for k, v in values.items()}


def write_series(definitions: Sequence[SeriesDefinition]) -> str:
    """Give series as a CSV that `read_series` reads."""
    out = io.StringIO()
    writer = csv.DictWriter(out, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_as_row(definition) for definition in definitions)
    return out.getvalue()


@lru_cache(maxsize=1)
def series_by_code() -> Mapping[str, SeriesDefinition]:
    """Give the definitions by LOINC CURIE."""
    return {definition.code: definition for definition in load_series()}


def is_plausible(code: str, value: float) -> bool:
    """Say whether a value (in the series' unit) can be a true measurement; a heart rate of 0 is none."""
    definition = series_by_code()[code]
    return math.isfinite(value) and definition.plausible_low <= value <= definition.plausible_high

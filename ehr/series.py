"""The series (labs and vitals) that the project reads: definitions, hospital item ids and unit conversions."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ehr.errors import InputError
from ehr.records import optional_number, own_records, package_records
from ehr.units import convert_ucum, known_ucum_units, normalise_unit

RULES = ("", "fraction", "temperature", "arterial")
"""How an item's values are read beyond its unit; see `SeriesItem`."""


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


@dataclass(frozen=True, slots=True)
class SeriesItem:
    """One item of a hospital's own dictionary that holds values of a series.

    Attributes:
        table: the hospital table, such as ``labevents``.
        itemid: the hospital's id.
        code: the series.
        unit: unit of a value that comes without one.
        priority: where one series has several values at one time, the lowest number stays (an arterial line before a
            cuff, the laboratory's own row before its copy in the chart).
        rule: ``fraction`` (a value up to 1 is a fraction, to be read as per cent), ``temperature`` (a value that only
            the other of Celsius and Fahrenheit makes possible is read so), ``arterial`` (not from a specimen that the
            laboratory calls venous or mixed), or empty.
    """

    table: str
    itemid: str
    code: str
    unit: str
    priority: int
    rule: str
    label: str


@dataclass(frozen=True, slots=True)
class Conversion:
    """Turns a source's value into the series' unit: ``(value + shift) * factor``."""

    shift: float = 0.0
    factor: float = 1.0

    def __call__(self, value: float) -> float:
        """Convert one value."""
        return (value + self.shift) * self.factor


_COLUMNS = ("code", "name", "short", "kind", "unit", "low", "high", "plausible_low", "plausible_high", "paper")
_ITEM_COLUMNS = ("table", "itemid", "code", "unit", "priority", "rule", "label")
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


def read_series(path: Path) -> tuple[SeriesDefinition, ...]:
    """Read a file of series; see `choose_series`."""
    found: dict[str, SeriesDefinition] = {}
    for line, row in own_records(path, ("code",)):
        where = f"{path} line {line}"
        match = _LOINC.fullmatch(row["code"])
        if match is None:
            raise InputError(f"{row['code']!r} is no LOINC code", where=where, remedy="expected such as 2160-0")
        code = f"LOINC:{match[1]}"
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


@lru_cache(maxsize=8)
def load_items(layout: str) -> tuple[SeriesItem, ...]:
    """Read the item ids of a hospital layout (``mimic_iv``), in the file's order.

    Raises:
        InputError: where an item names an unknown series, rule or unit, or stands twice.
    """
    name = f"items_{layout}.csv"
    return _items(package_records(name, _ITEM_COLUMNS), f"ehr/{name}", series_by_code())


def read_items(path: Path, definitions: Sequence[SeriesDefinition]) -> tuple[SeriesItem, ...]:
    """Read a user's own item ids, a CSV with ``table``, ``itemid``, ``code`` and, where wanted, the other columns.

    They are added to the layout's, or take the place of those with the same table and item id.

    Raises:
        InputError: see `load_items`.
    """
    rows = (
        (
            line,
            dict.fromkeys(_ITEM_COLUMNS, "")
            | row
            | {"code": _curie(row["code"]), "priority": row.get("priority") or "1"},
        )
        for line, row in own_records(path, ("table", "itemid", "code"))
    )
    return _items(rows, str(path), {definition.code: definition for definition in definitions})


def _curie(code: str) -> str:
    match = _LOINC.fullmatch(code)
    return f"LOINC:{match[1]}" if match else code


def _items(
    rows: Iterable[tuple[int, dict[str, str]]], source: str, known: Mapping[str, SeriesDefinition]
) -> tuple[SeriesItem, ...]:
    items: dict[tuple[str, str], SeriesItem] = {}
    for line, row in rows:
        where = f"{source} line {line}"
        definition = known.get(row["code"])
        if definition is None:
            raise InputError(f"unknown series {row['code']!r}", where=where)
        if not row["priority"].isdigit():
            raise InputError(f"priority {row['priority']!r} is no number", where=where)
        unit = row["unit"] or definition.unit
        item = SeriesItem(
            row["table"], row["itemid"], row["code"], unit, int(row["priority"]), row["rule"], row["label"]
        )
        if item.rule not in RULES:
            raise InputError(f"unknown rule {item.rule!r}", where=where)
        if conversion(item.code, item.unit, definition.unit) is None:
            raise InputError(f"unit {item.unit!r} has no conversion to {definition.unit!r}", where=where)
        if (item.table, item.itemid) in items:
            raise InputError(f"item {item.itemid} of {item.table} stands twice", where=where)
        items[item.table, item.itemid] = item
    return tuple(items.values())


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


def item_conversion(item: SeriesItem, unit: str | None) -> Conversion | None:
    """Give the conversion of an item's value, with the item's own unit where the value comes without one."""
    written = unit or ""
    return conversion(item.code, written if normalise_unit(written) else item.unit)


def is_plausible(code: str, value: float) -> bool:
    """Say whether a value (in the series' unit) can be a true measurement; a heart rate of 0 is none."""
    definition = series_by_code()[code]
    return math.isfinite(value) and definition.plausible_low <= value <= definition.plausible_high

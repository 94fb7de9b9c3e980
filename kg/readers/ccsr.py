"""AHRQ's CCSR for ICD-10-CM diagnoses (``DXCCSR_v2026-1.csv``): each code in one to six categories.

Every category of a row becomes a group above the code (``CCSR:CIR009``). AHRQ marks one of them as the default for a
principal diagnosis, by setting: its evidence has weight 1 and says so in its note; where a code has several
categories the others have weight 0.5.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from kg.readers.guard import usable
from kg.readers.hcup import read_hcup
from kg.readers.icd_codes import ICD10, below
from kg.readers.lines import Entry, entries, need, single
from kg.readers.records import Header, Record, Records, Reject
from kg.readers.source import Format
from kg.readers.tabular import Row
from kg.types import Concept
from kg.vocabulary import Category

WHAT = "the CCSR for ICD-10-CM diagnoses (DXCCSR_v2026-1.csv)"
OTHER_WEIGHT = 0.5
"""Weight of a category that is not the default of its code."""

_COLUMNS = {
    "icd-10-cm code": "code",
    "icd-10-cm code description": "name",
    "default ccsr category": "ip",  # before 2021, when there was one default for both settings
    "default ccsr category ip": "ip",
    "default ccsr category op": "op",
    **{f"ccsr category {n}": f"group{n}" for n in range(1, 7)},
    **{f"ccsr category {n} description": f"group{n}_name" for n in range(1, 7)},
}
_GROUP = re.compile(r"[A-Z]{3}[0-9]{3}")
_CATEGORIES = {"SYM": Category.PHENOTYPE, "EXT": Category.EXPOSURE, "FAC": Category.OTHER}


def group_category(group: str) -> Category:
    """Tell a category's kind by its body system: SYM phenotype, EXT exposure, FAC neither, all other disease."""
    return _CATEGORIES.get(group[:3], Category.DISEASE)


def _entry(path: Path) -> Entry:
    return single(path) if not path.is_dir() and len(entries(path)) == 1 else need(path, "DXCCSR*.csv", what=WHAT)


def _note(group: str, row: Row) -> str:
    settings = [name for column, name in (("ip", "inpatient"), ("op", "outpatient")) if row[column] == group]
    return f"default category ({' and '.join(settings)})" if settings else ""


def _row(row: Row, source: str, version: str, declared: set[str]) -> Iterator[Record]:
    code = ICD10.code(row["code"])
    if code is None:
        yield Reject(f"line {row.line}", f"{row['code'][:12]!r} is no ICD-10-CM code")
        return
    groups = {row[f"group{n}"]: row[f"group{n}_name"] for n in range(1, 7) if row[f"group{n}"]}
    bad = [group for group in groups if not _GROUP.fullmatch(group)]
    if bad or not groups:
        reason = f"{bad[0][:12]!r} is no CCSR category" if bad else "a code without a CCSR category"
        yield Reject(f"line {row.line}", reason)
        return
    curie = ICD10.prefix + code
    if row["name"]:
        yield Concept(curie, ICD10.category(code), row["name"], source)
    for group, name in groups.items():
        if group not in declared:
            declared.add(group)
            yield Concept(f"CCSR:{group}", group_category(group), name, source)
        note = _note(group, row)
        weight = 1.0 if note or len(groups) == 1 else OTHER_WEIGHT
        yield below(curie, f"CCSR:{group}", source, version, weight=weight, note=note)


def _records(entry: Entry, source: str) -> Iterator[Record]:
    match = re.search(r"v(\d{4})[-._](\d)", entry.name)
    version = f"{match[1]}.{match[2]}" if match else ""
    yield Header(version)
    declared: set[str] = set()
    for row in read_hcup(entry, _COLUMNS, ("code", "group1"), WHAT):
        if isinstance(row, Reject):
            yield row
        else:
            yield from _row(row, source, version, declared)


def read_ccsr(path: Path, source: str) -> Records:
    """Read the table, or the directory or archive that holds it.

    Raises:
        InputError: where the file cannot be read, lacks a needed column or holds no code.
    """
    entry = _entry(path)
    yield from usable(_records(entry, source), entry, WHAT)


FORMAT = Format(
    name="ccsr",
    read=lambda source, _: read_ccsr(source.path, source.name),
    title="CCSR of AHRQ: categories of ICD-10-CM diagnoses",
    specification="https://hcup-us.ahrq.gov/toolssoftware/ccsr/dxccsr.jsp",
    example="ccsr:DXCCSR_v2026-1.csv",
    met="a sample with the header of the 2021 to 2026 releases",
    files=lambda path: [_entry(path)],
)

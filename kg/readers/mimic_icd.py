"""MIMIC's table of diagnosis codes (``d_icd_diagnoses.csv``), of MIMIC-IV (both revisions) and MIMIC-III (ICD-9-CM).

It holds categories beside the codes below them, so that the hierarchy comes from the table itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ehr.errors import InputError
from kg.readers.guard import usable
from kg.readers.icd_codes import ICD9, ICD10, CodeList
from kg.readers.records import Header, Record, Records, Reject
from kg.readers.source import Format
from kg.readers.tabular import Row, read_table
from kg.types import Synonym

WHAT = "MIMIC's d_icd_diagnoses.csv"
_ALIASES = {
    "icd_code": "code",
    "icd9_code": "code",
    "icd_version": "version",
    "long_title": "name",
    "short_title": "short",
}


def _row(lists: dict[str, CodeList], row: Row) -> Record:
    version = row["version"] or "9"  # MIMIC-III has no column of that kind
    if version not in lists:
        return Reject(f"line {row.line}", f"icd_version is {version[:12]!r}, expected 9 or 10")
    system = ICD9 if version == "9" else ICD10
    code = system.code(row["code"])
    if code is None:
        return Reject(f"line {row.line}", f"{row['code'][:12]!r} is no {system.name} diagnosis code")
    name, short = " ".join(row["name"].split()), " ".join(row["short"].split())
    if not name:
        return Reject(f"line {row.line}", "a code without a title")
    return lists[version].concept(code, name, (Synonym(short, "exact", "abbreviation"),) if short else ())


def _records(path: Path, source: str) -> Iterator[Record]:
    yield Header()
    lists = {"9": CodeList(ICD9, source, ""), "10": CodeList(ICD10, source, "")}
    for row in read_table(path, needed=("code", "name"), aliases=_ALIASES, what=WHAT):
        yield row if isinstance(row, Reject) else _row(lists, row)
    for one in lists.values():
        yield from one.hierarchy()


def read_mimic_icd(path: Path, source: str) -> Records:
    """Read the table, plain or gzipped.

    Raises:
        InputError: where the file cannot be read, lacks a needed column or holds no code.
    """
    if "procedures" in path.name.lower():
        raise InputError("is the table of procedure codes", where=path, remedy=f"expected {WHAT}")
    yield from usable(_records(path, source), path, WHAT)


FORMAT = Format(
    name="mimic-icd",
    read=lambda source, _: read_mimic_icd(source.path, source.name),
    title="MIMIC's table of diagnosis codes",
    specification="https://mimic.mit.edu/docs/iv/modules/hosp/d_icd_diagnoses/",
    example="mimic-icd:d_icd_diagnoses.csv.gz",
    met="MIMIC-IV demo 2.2",
)

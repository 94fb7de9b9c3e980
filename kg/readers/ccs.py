"""AHRQ's Clinical Classifications Software: diagnosis codes in groups, single-level and multi-level.

Groups of the single level are ``CCS:157``. Those of the multi-level scheme have numbers of their own, which would
meet the first (``1`` is tuberculosis there, all infections here), and are ``CCSM:1.1.1``; where their label names the
single-level group (``Tuberculosis [1.]``) a mapping says so. Each code stands below its group.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ehr.errors import InputError
from kg.readers.guard import usable
from kg.readers.hcup import head, read_hcup
from kg.readers.icd_codes import ICD9, ICD10, System, below
from kg.readers.lines import Damaged, Entry, Fallback, entries, need, read_lines, single
from kg.readers.records import EXACT_MATCH, Header, Mapping, Record, Records, Reject
from kg.readers.source import Format
from kg.readers.tabular import Row
from kg.types import Concept, Synonym
from kg.vocabulary import Category

WHAT = "a CCS table of diagnoses ($dxref 2015.csv, ccs_multi_dx_tool_2015.csv, ccs_dx_icd10cm_2019_1.csv)"
NARROW_MATCH = "skos:narrowMatch"
_COLUMNS = {
    "icd-9-cm code": "code",
    "icd-10-cm code": "code",
    "icd10cm_code": "code",
    "icd9cm_code": "code",
    "icd-9-cm code description": "name",
    "icd-10-cm code description": "name",
    "ccs category": "group",
    "ccs_category": "group",
    "ccs category description": "group_name",
    "ccs_category_description": "group_name",
    "optional ccs category": "optional",
    "optional ccs category description": "optional_name",
    **{f"{head}ccs lvl {n}": f"level{n}" for n in range(1, 5) for head in ("", "multi ")},
    **{f"{head}ccs lvl {n} label": f"level{n}_name" for n in range(1, 5) for head in ("", "multi ")},
}
_PATTERNS = ("$dxref*.csv", "dxref*.csv", "ccs_dx_icd10cm*.csv", "ccs_multi_dx*.csv", "appendix*dx*.txt")
_GROUP = re.compile(r"[1-9][0-9]{0,3}")
_LEVEL = re.compile(r"[1-9][0-9]{0,2}(?:\.[1-9][0-9]{0,2}){0,3}")
_LABEL = re.compile(r"([^\[\]]*\S)\s*\[([0-9., and]*)\]")


def _entry(path: Path) -> Entry:
    entry = single(path) if not path.is_dir() and len(entries(path)) == 1 else need(path, *_PATTERNS, what=WHAT)
    if re.search(r"prref|_pr_|multi_pr|singlepr", entry.name.lower()):
        raise InputError("is a table of procedures", where=str(entry), remedy=f"expected {WHAT}")
    return entry


def group_category(group: str) -> Category:
    """Tell a single-level group's category: the groups of E codes (2601 to 2621) exposure, all other disease."""
    return Category.EXPOSURE if len(group) == 4 and group.startswith("26") else Category.DISEASE


class _Reader:
    def __init__(self, source: str, version: str, system: System, *, abbreviated: bool) -> None:
        self.source, self.version, self.system, self.abbreviated = source, version, system, abbreviated
        self.declared: set[str] = set()

    def declare(self, identifier: str, name: str, category: Category) -> Iterator[Record]:
        """Yield a group's concept where it stands for the first time.

        ``$dxref`` cuts names short (``Ac renl fail``): they come as synonyms, and any other source names the group.
        """
        if identifier in self.declared:
            return
        self.declared.add(identifier)
        if self.abbreviated and name:
            yield Concept(identifier, category, "", self.source, (Synonym(name, "exact", "abbreviation"),))
        else:
            yield Concept(identifier, category, name, self.source)

    def below(self, child: str, parent: str, note: str = "") -> Record:
        """Give the place of a code or group."""
        return below(child, parent, self.source, self.version, note=note)

    def row(self, row: Row) -> Iterator[Record]:
        """Yield a code and the groups of its row."""
        groups = [(row["group"], row["group_name"], ""), (row["optional"], row["optional_name"], "optional category")]
        groups = [group for group in groups if group[0] not in ("", "0")]
        if not row["code"] and not groups:
            return  # "No DX", which stands for codes that are none
        code = self.system.code(row["code"])
        if code is None:
            yield Reject(f"line {row.line}", f"{row['code'][:12]!r} is no {self.system.name} diagnosis code")
            return
        bad = [number for number, _, _ in groups if not _GROUP.fullmatch(number)]
        levels = [(row[f"level{n}"], row[f"level{n}_name"]) for n in range(1, 5) if row[f"level{n}"]]
        bad += [number for number, _ in levels if not _LEVEL.fullmatch(number)]
        if bad or not (groups or levels):
            reason = f"{bad[0][:12]!r} is no CCS category" if bad else "a code without a CCS category"
            yield Reject(f"line {row.line}", reason)
            return
        curie = self.system.prefix + code
        if row["name"]:
            yield Concept(curie, self.system.category(code), row["name"], self.source)
        for number, name, note in groups:
            yield from self.declare(f"CCS:{number}", name, group_category(number))
            yield self.below(curie, f"CCS:{number}", note)
        yield from self.levels(curie, levels)

    def levels(self, code: str, levels: list[tuple[str, str]]) -> Iterator[Record]:
        """Yield the groups of the multi-level scheme, each below the one before, and the code below the last."""
        parent = ""
        for number, label in levels:
            identifier = f"CCSM:{number}"
            if identifier not in self.declared:
                match = _LABEL.fullmatch(label)
                yield from self.declare(identifier, match[1] if match else label, Category.DISEASE)
                if match:
                    yield from _single_level(identifier, re.findall(r"\d+", match[2]))
                if parent:
                    yield self.below(identifier, parent)
            parent = identifier
        if parent:
            yield self.below(code, parent)


def _single_level(identifier: str, numbers: list[str]) -> Iterator[Record]:
    """Yield what the brackets of a label say; numbers of four places are finer than the single level, E codes aside."""
    known = [number for number in numbers if len(number) <= 3 or number.startswith("26")]
    for number in known:
        yield Mapping(identifier, EXACT_MATCH if len(numbers) == 1 else NARROW_MATCH, f"CCS:{number}")


def _appendix(entry: Entry, reader: _Reader) -> Iterator[Record]:
    """Read Appendix A of the CCS: a group's number and name, and indented below them its codes."""
    group = ""
    for number, text in read_lines(entry, fallback=Fallback("cp1252")):
        if isinstance(text, Damaged):
            yield Reject(f"line {number}", text.reason)
        elif match := re.fullmatch(r"([1-9][0-9]{0,3})\s+(\S.*)", text.rstrip()):
            group = f"CCS:{match[1]}"
            yield from reader.declare(group, match[2], group_category(match[1]))
        elif group and text[:1].isspace():
            for written in text.split():
                code = reader.system.code(written)
                if code is None:
                    reason = f"{written[:12]!r} is no {reader.system.name} diagnosis code"
                    yield Reject(f"line {number}", reason)
                else:
                    yield reader.below(reader.system.prefix + code, group)


def _records(entry: Entry, source: str) -> Iterator[Record]:
    start = head(entry)
    year = re.search(r"(?:19|20)\d\d(?:[._]\d)?", entry.name)
    version = year[0].replace("_", ".") if year else ""
    yield Header(version)
    system = ICD10 if re.search(r"icd-?10-?cm[ _]code", start) else ICD9
    reader = _Reader(source, version, system, abbreviated="optional ccs category" in start)
    if start.startswith("appendix"):
        yield from _appendix(entry, reader)
        return
    grouping = "level1" if "ccs lvl 1" in start and not re.search(r"ccs[ _]category", start) else "group"
    for row in read_hcup(entry, _COLUMNS, ("code", grouping), WHAT):
        if isinstance(row, Reject):
            yield row
        else:
            yield from reader.row(row)


def read_ccs(path: Path, source: str) -> Records:
    """Read one table of the CCS for diagnoses, of ICD-9-CM or ICD-10-CM: its header tells which.

    Raises:
        InputError: where the file cannot be read, is a table of procedures, lacks a needed column or holds no code.
    """
    entry = _entry(path)
    yield from usable(_records(entry, source), entry, WHAT)


FORMAT = Format(
    name="ccs",
    read=lambda source, _: read_ccs(source.path, source.name),
    title="CCS of AHRQ: groups of ICD-9-CM or ICD-10-CM diagnoses, single-level or multi-level",
    specification="https://hcup-us.ahrq.gov/toolssoftware/ccs/ccs.jsp",
    example="ccs:'$dxref 2015.csv'",
    met="$dxref 2015, ccs_multi_dx_tool_2015 and Appendix A; ccs_dx_icd10cm_2019_1 as a sample",
    files=lambda path: [_entry(path)],
)

"""CMS's General Equivalence Mappings between ICD-9-CM and ICD-10 (``2018_I9gem.txt``, ``2018_I10gem.txt``).

A line holds a code, its translation and five flags: approximate, no map, combination, scenario, choice list. The
mappings keep the direction of the file. Not approximate is ``skos:exactMatch``, approximate ``skos:closeMatch`` (the
file does not say which of the two is broader). A translation that is one part of a combination of codes is never
equal to the whole: ``skos:relatedMatch``. Which parts belong together (scenario, choice list) has no place in a
mapping; with ``scenarios=true`` it comes as a ``related_to`` statement with both in its note. Codes without a
translation are counted.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ehr.errors import InputError
from ehr.progress import say
from kg.readers.guard import usable
from kg.readers.icd_codes import icd9_code, icd10_code
from kg.readers.lines import Damaged, Entry, entries, need, read_lines, single
from kg.readers.records import EXACT_MATCH, Fact, Header, Mapping, Record, Records, Reject
from kg.readers.source import Format
from kg.types import Evidence, Statement
from kg.vocabulary import Predicate

WHAT = "a General Equivalence Mapping (2018_I9gem.txt)"
CLOSE_MATCH = "skos:closeMatch"
RELATED_MATCH = "skos:relatedMatch"
_SNIFFED = 5000
_FLAGS = re.compile(r"[01]{3}[0-9]{2}")
_PCS = re.compile(r"[0-9A-HJ-NP-Z]{7}")


def _procedure9(cell: str) -> str | None:
    text = cell.upper().replace(".", "")
    return f"{text[:2]}.{text[2:]}" if re.fullmatch(r"[0-9]{3,4}", text) else None


def _procedure10(cell: str) -> str | None:
    return cell.upper() if _PCS.fullmatch(cell.upper()) else None


@dataclass(frozen=True, slots=True)
class _Side:
    prefix: str
    code: Callable[[str], str | None]
    name: str


_DX9 = _Side("ICD9CM:", icd9_code, "ICD-9-CM diagnosis code")
_DX10 = _Side("ICD10CM:", icd10_code, "ICD-10-CM code")
_PX9 = _Side("ICD9CM:", _procedure9, "ICD-9-CM procedure code")
_PX10 = _Side("ICD10PCS:", _procedure10, "ICD-10-PCS code")


def _cells(text: str) -> list[str]:
    """Split a line of CMS (blanks) or of NBER's copy (commas, double quotes)."""
    return [cell.strip().strip('"') for cell in text.split(",")] if "," in text else text.split()


def _direction(entry: Entry) -> tuple[_Side, _Side]:
    """Tell the two sides by the first line whose codes can belong to one revision alone.

    ICD-9 codes mostly begin with a digit and ICD-10-CM codes always with a letter; where both begin with a digit, the
    one of seven places is a code of ICD-10-PCS.
    """
    for _, text in itertools.islice(read_lines(entry), _SNIFFED):
        cells = _cells(text) if isinstance(text, str) else []
        if len(cells) < 3 or not _FLAGS.fullmatch(cells[2]) or cells[1].lower().startswith("no"):
            continue
        source, target = cells[0][:1].isdecimal(), cells[1][:1].isdecimal()
        if source and target:
            return (_PX10, _PX9) if len(cells[0]) == 7 else (_PX9, _PX10)
        if source != target:
            return (_DX9, _DX10) if source else (_DX10, _DX9)
    raise InputError("no line of it maps between two revisions of ICD", where=str(entry), remedy=f"is this {WHAT}?")


def _match(flags: str) -> str:
    if flags[2] == "1":
        return RELATED_MATCH
    return CLOSE_MATCH if flags[0] == "1" else EXACT_MATCH


class _Reader:
    def __init__(self, source: str, version: str, sides: tuple[_Side, _Side], *, scenarios: bool) -> None:
        self.source, self.version, self.sides, self.scenarios = source, version, sides, scenarios
        self.unmapped = 0

    def line(self, number: int, text: str) -> Iterator[Record]:
        """Yield what one line says."""
        cells = _cells(text)
        if len(cells) < 3 or not _FLAGS.fullmatch(cells[2]):
            if "flags" not in text.lower():  # the header of NBER's copy
                yield Reject(f"line {number}", "expected a code, its translation and five flags")
            return
        flags = cells[2]
        if flags[1] == "1" or cells[1].lower().startswith("no"):
            self.unmapped += 1
            return
        ends = []
        for cell, side in zip(cells, self.sides, strict=False):
            code = side.code(cell)
            if code is None:
                yield Reject(f"line {number}", f"{cell[:12]!r} is no {side.name}")
                return
            ends.append(side.prefix + code)
        yield Mapping(ends[0], _match(flags), ends[1])
        if self.scenarios and flags[2] == "1":
            yield self._scenario(ends, cells, flags)

    def _scenario(self, ends: list[str], cells: list[str], flags: str) -> Fact:
        statement = Statement(ends[0], Predicate.RELATED_TO, ends[1])
        return Fact(
            statement,
            Evidence(
                statement=statement.id,
                source=self.source,
                version=self.version,
                subject_as_written=cells[0],
                object_as_written=cells[1],
                note=f"part of a combination: scenario {flags[3]}, choice list {flags[4]}",
            ),
        )


def _entry(path: Path) -> Entry:
    if not path.is_dir() and len(entries(path)) == 1:
        return single(path)
    return need(path, "*_I9gem.txt", "*_I10gem.txt", "gem_i9pcs.txt", "gem_pcsi9.txt", what=WHAT)


def _records(entry: Entry, source: str, *, scenarios: bool) -> Iterator[Record]:
    year = re.search(r"(?:19|20)\d\d", entry.name)
    version = year[0] if year else ""
    reader = _Reader(source, version, _direction(entry), scenarios=scenarios)
    yield Header(version)
    for number, text in read_lines(entry):
        if isinstance(text, Damaged):
            yield Reject(f"line {number}", text.reason)
        elif text.strip():
            yield from reader.line(number, text)
    if reader.unmapped:
        say(f"{source}: {reader.unmapped} codes have no translation, as the file says")


def read_gems(path: Path, source: str, *, scenarios: bool = False) -> Records:
    """Read one direction; of a directory or archive that holds both, from ICD-9-CM to ICD-10-CM.

    Args:
        path: the file of CMS, or NBER's copy of it as CSV.
        source: name of the source.
        scenarios: whether parts of a combination come as statements too.

    Raises:
        InputError: where the file cannot be read, or no line of it is a mapping.
    """
    entry = _entry(path)
    yield from usable(_records(entry, source, scenarios=scenarios), entry, WHAT)


FORMAT = Format(
    name="gems",
    read=lambda source, _: read_gems(source.path, source.name, scenarios=source.flag("scenarios")),
    title="General Equivalence Mappings of CMS between ICD-9-CM and ICD-10",
    specification="https://www.cms.gov/medicare/coding-billing/icd-10-codes",
    example="gems:2018_I9gem.txt",
    met="2018_I9gem and 2018_I10gem; those of procedures as a sample",
    options={"scenarios": "true: which parts of a combination belong together, as related_to statements"},
    files=lambda path: [_entry(path)],
)

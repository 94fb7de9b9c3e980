"""ICD-10-CM as a flat list: the order file of CMS and CDC, and the shorter list of valid codes.

A line of the order file holds, by position, an order number (1-5), the code without its point (7-13), 0 for a heading
and 1 for a code that may be billed (15), a short description (17-76) and a long one (from 78); a line of the list of
valid codes the code and its description. Each code stands below the longest other code that it begins with; chapters
and sections are not in these files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from kg.readers.guard import usable
from kg.readers.icd_codes import ICD10, CodeList, is_description
from kg.readers.lines import Damaged, Entry, entries, need, read_lines, single
from kg.readers.records import Header, Record, Records, Reject
from kg.readers.source import Format
from kg.types import Synonym

WHAT = "the ICD-10-CM order file (icd10cm-order-2026.txt)"
_NUMBER = re.compile(r"[0-9]{5} ")


def release_of(name: str) -> str:
    """Give the release that a file's name tells, else an empty text.

    >>> release_of("icd10cm-order-2026.txt"), release_of("icd10cm-order-April-1-2026.txt")
    ('2026', '2026 (April 1, 2026)')
    """
    day = re.search(r"([A-Z][a-z]+)[-_ ](\d{1,2})[-_ ](\d{4})", name)
    if day:
        return f"{day[3]} ({day[1]} {day[2]}, {day[3]})"
    year = re.search(r"(?:19|20)\d\d", name)
    return year[0] if year else ""


def _entry(path: Path) -> Entry:
    """Find the list in a directory or archive; the addenda beside it hold changes alone."""
    if not path.is_dir() and len(entries(path)) == 1:
        return single(path)
    for part in ("order", "codes"):
        for entry in reversed(entries(path)):
            name = entry.name.lower()
            if name.startswith("icd10cm") and part in name and name.endswith(".txt") and "addenda" not in name:
                return entry
    return need(path, "icd10cm*order*.txt", what=WHAT)


def _line(codes: CodeList, number: int, text: str) -> Record:
    if _NUMBER.match(text):
        written, flag = text[6:13], text[14:15]
        short, long = " ".join(text[16:76].split()), " ".join(text[76:].split())
        if flag not in ("0", "1"):
            return Reject(f"line {number}", f"column 15 is {flag!r}, expected 0 or 1")
    else:
        written, _, rest = text.partition(" ")
        short, long = "", " ".join(rest.split())
    code = ICD10.code(written) if written.strip().replace(".", "").isalnum() else None
    if code is None:
        return Reject(f"line {number}", f"{written.strip()[:12]!r} is no ICD-10-CM code")
    name = long or short
    if not is_description(name):
        return Reject(f"line {number}", "a code without a description that can be read")
    synonyms = (Synonym(short, "exact", "abbreviation"),) if short and short.casefold() != name.casefold() else ()
    return codes.concept(code, name, synonyms)


def _records(entry: Entry, source: str) -> Iterator[Record]:
    version = release_of(entry.name)
    yield Header(version)
    codes = CodeList(ICD10, source, version)
    for number, text in read_lines(entry):
        if isinstance(text, Damaged):
            yield Reject(f"line {number}", text.reason)
        elif text.strip():
            yield _line(codes, number, text)
    yield from codes.hierarchy()


def read_icd10cm_order(path: Path, source: str) -> Records:
    """Read an order file or a list of valid codes, or the directory or archive that holds one.

    Raises:
        InputError: where there is none, or it holds no code.
    """
    entry = _entry(path)
    yield from usable(_records(entry, source), entry, WHAT)


FORMAT = Format(
    name="icd10cm-order",
    read=lambda source, _: read_icd10cm_order(source.path, source.name),
    title="ICD-10-CM order file, or its list of valid codes",
    specification="icd10OrderFiles.pdf of the CDC/NCHS release",
    example="icd10cm-order:icd10cm-order-2026.txt",
    met="the list of valid codes 2024; the order file as a sample made after its description",
    files=lambda path: [_entry(path)],
)

"""ICD-9-CM diagnoses as CMS published them last (version 32): a code, blanks, a description.

CMS lists only the codes that may be billed, without their categories: ``038`` is not among them, ``038.9`` is. The
category becomes a concept without a name (see `kg.readers.icd_codes.CodeList.hierarchy`). The long descriptions hold
bytes of Windows-1252 (Ménière's disease); lines that are not UTF-8 are read as that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ehr.errors import InputError
from ehr.progress import say
from kg.readers.guard import usable
from kg.readers.icd_codes import ICD9, CodeList, is_description
from kg.readers.lines import Damaged, Entry, Fallback, entries, find, read_lines, single
from kg.readers.records import Header, Name, Record, Records, Reject
from kg.readers.source import Format
from kg.types import Synonym

WHAT = "CMS's list of ICD-9-CM diagnoses (CMS32_DESC_LONG_DX.txt)"
ENCODINGS = ("cp1252", "latin-1", "utf-8")
_BARE = re.compile(r"[0-9EVev][0-9.]{2,6}")  # not quoted, and with all its zeros


def _entries(path: Path) -> list[Entry]:
    """Give the file of names, and that of short names where both are there."""
    if not path.is_dir() and len(entries(path)) == 1:
        return [single(path)]
    found = [e for e in (find(path, "*DESC_LONG_DX*.txt"), find(path, "*DESC_SHORT_DX*.txt")) if e is not None]
    if not found:
        raise InputError("holds no CMS32_DESC_LONG_DX.txt", where=path, remedy=f"expected {WHAT}")
    return found


def _rows(entry: Entry, fallback: Fallback | None) -> Iterator[tuple[int, str, str] | Reject]:
    for number, text in read_lines(entry, fallback=fallback):
        if isinstance(text, Damaged):
            yield Reject(f"line {number}", text.reason)
            continue
        written, _, name = text.strip().partition(" ")
        if not written:
            continue
        code = ICD9.code(written) if _BARE.fullmatch(written) else None
        name = " ".join(name.split())
        if code is None:
            yield Reject(f"line {number}", f"{written[:12]!r} is no ICD-9-CM diagnosis code")
        elif not is_description(name):
            yield Reject(f"line {number}", "a code without a description that can be read")
        else:
            yield number, code, name


def _records(found: list[Entry], source: str, fallback: Fallback | None) -> Iterator[Record]:
    match = re.search(r"CMS(\d+)", found[0].name, re.IGNORECASE)
    version = match[1] if match else ""
    yield Header(version)
    codes = CodeList(ICD9, source, version)
    for row in _rows(found[0], fallback):
        yield row if isinstance(row, Reject) else codes.concept(row[1], row[2])
    for entry in found[1:]:
        for row in _rows(entry, fallback):
            if isinstance(row, Reject):
                yield Reject(f"{entry.name} {row.record}", row.reason)
            else:
                yield Name(ICD9.prefix + row[1], Synonym(row[2], "exact", "abbreviation"))
    yield from codes.hierarchy()
    if fallback is not None and fallback.lines:
        say(f"{source}: {fallback.lines} lines are not UTF-8 and were read as {fallback.encoding}")


def read_icd9cm(path: Path, source: str, *, encoding: str = "cp1252") -> Records:
    """Read CMS's list of diagnoses, or the directory or archive that holds it.

    Args:
        path: the list; of a directory or archive the long descriptions, the short ones as further names.
        source: name of the source.
        encoding: of lines that are not UTF-8, one of `ENCODINGS`; with ``utf-8`` they are rejected.

    Raises:
        InputError: where there is none, it holds no code, or the encoding is another.
    """
    if encoding not in ENCODINGS:
        raise InputError(f"option encoding is {encoding[:20]!r}", where=path, remedy=f"expected {', '.join(ENCODINGS)}")
    found = _entries(path)
    if "_sg" in found[0].name.lower():
        raise InputError("is the list of procedures", where=str(found[0]), remedy=f"expected {WHAT}")
    yield from usable(_records(found, source, None if encoding == "utf-8" else Fallback(encoding)), found[0], WHAT)


FORMAT = Format(
    name="icd9cm",
    read=lambda source, _: read_icd9cm(
        source.path, source.name, encoding=source.options.get("encoding", "").lower() or "cp1252"
    ),
    title="ICD-9-CM diagnoses of CMS",
    specification="ICD-9-CM v32 master descriptions, https://www.cms.gov/medicare/coding-billing/icd-10-codes",
    example="icd9cm:CMS32_DESC_LONG_DX.txt",
    met="version 32, long and short descriptions",
    options={"encoding": "of lines that are not UTF-8: cp1252 (as CMS writes), latin-1, or utf-8 to reject them"},
    files=_entries,
)

"""Files of every packing as lines: plain, gzip, bzip2, inside a zip archive or a directory; never held whole.

A file that cannot be read ends in one clear `InputError`; a line that cannot be read (bytes that are no UTF-8, a line
without end) comes as `Damaged` and costs only itself.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ehr.errors import InputError
from ehr.files import user_errors
from kg.readers.packing import HIDDEN, files_below, is_directory, is_zip, members, printable, unpacked

LONGEST_LINE = 4 << 20
"""Bytes; a longer line is passed over and reported, so that a file without line ends cannot fill the memory."""

_BLOCK = 1 << 20
_PACKED = (".gz", ".bz2")


@dataclass(frozen=True, slots=True)
class Entry:
    """One readable file: by itself, or ``member`` of the zip archive ``path``."""

    path: Path
    member: str = ""

    @property
    def name(self) -> str:
        """Name without folders and without ``.gz`` or ``.bz2``, as a text that can be written anywhere."""
        return printable(_plain(self.member.rpartition("/")[2] if self.member else self.path.name))

    def __str__(self) -> str:
        return printable(f"{self.path}!{self.member}" if self.member else str(self.path))


def _plain(name: str) -> str:
    for suffix in _PACKED:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


@dataclass(frozen=True, slots=True)
class Damaged:
    """A line that cannot be given as text, and why."""

    reason: str


@dataclass(slots=True)
class Fallback:
    """An older encoding for the lines of a file that are not UTF-8 (``cp1252``); ``lines`` counts them."""

    encoding: str
    lines: int = 0


def entries(path: Path) -> list[Entry]:
    """List the files of a directory (with its sub-directories) or zip archive, by name; a plain file is itself.

    Symbolic links to files count, those to directories are not followed.

    Raises:
        InputError: where there is nothing, a directory may not be read, the archive is damaged, or there are more than
            `kg.readers.packing.MOST_FILES`.
    """
    if is_directory(path):
        return [Entry(p) for p in files_below(path)]
    if not is_zip(path):
        return [Entry(path)]
    return [Entry(path, name) for name in sorted(members(path)) if not _hidden(name)]


def _hidden(name: str) -> bool:
    return any(part.startswith(HIDDEN) and part not in (".", "..") for part in name.split("/"))


def find(path: Path, *patterns: str) -> Entry | None:
    """Give the first file whose name fits one of the patterns (``MRCONSO.RRF``, ``sct2_Concept_*.txt``).

    Names are compared without regard to case and without ``.gz`` or ``.bz2``; a pattern with a slash is compared with
    the end of the whole path. Earlier patterns win; among several files the last by name does (the newest of dated
    names).
    """
    return _first(entries(path), patterns)


def _first(present: list[Entry], patterns: tuple[str, ...]) -> Entry | None:
    for pattern in patterns:
        wanted = pattern.lower()
        for entry in reversed(present):
            whole = _plain((entry.member or entry.path.as_posix()).lower())
            if fnmatch.fnmatchcase(entry.name.lower(), wanted) or (
                "/" in wanted and fnmatch.fnmatchcase(whole, f"*{wanted}")
            ):
                return entry
    return None


def need(path: Path, *patterns: str, what: str) -> Entry:
    """As `find`, but a file that is not there is an error.

    Raises:
        InputError: naming ``what`` is missing, and what the directory or archive holds.
    """
    entry = find(path, *patterns)
    if entry is None:
        shown = ", ".join(e.name for e in entries(path)[:6]) or "nothing"
        raise InputError(f"holds no {patterns[0]}, found {shown}", where=path, remedy=f"expected {what}")
    return entry


def release_files(path: Path, needed: str, *others: str, what: str) -> list[Entry]:
    """Give the file that must be there, then those of the others that are there.

    Raises:
        InputError: without the first; see `need`.
    """
    found = [find(path, name) for name in others]
    return [need(path, needed, what=what), *(one for one in found if one is not None)]


def need_beside(path: Path, *patterns: str, what: str) -> Entry:
    """As `need`, among the files of the directory that ``path`` lies in, without those below it."""
    with user_errors(path.parent):
        present = [Entry(p) for p in sorted(path.parent.iterdir()) if p.is_file()]
    entry = _first(present, patterns)
    if entry is None:
        raise InputError(f"holds no {patterns[0]}", where=path.parent, remedy=f"expected {what}")
    return entry


def single(path: Path) -> Entry:
    """Give the one file that a path stands for: itself, or the only member of a zip archive.

    Raises:
        InputError: for a directory, or an archive of several files.
    """
    if is_directory(path):
        raise InputError("is a directory, expected a file", where=path)
    present = entries(path)
    if len(present) == 1:
        return present[0]
    shown = ", ".join(e.member for e in present[:4]) or "nothing"
    raise InputError(f"expected an archive of one file, found {shown}", where=path, remedy="unpack it, name the file")


@contextmanager
def open_binary(source: Path | Entry) -> Iterator[BinaryIO]:
    """Open a file for reading, through zip, gzip and bzip2 where its first bytes say so, whatever its name.

    Raises:
        InputError: where the file is missing, is no regular file, cannot be read, its packing is truncated, damaged or
            encrypted, or it unpacks to something beyond reason.
    """
    entry = source if isinstance(source, Entry) else single(source)
    if is_directory(entry.path):
        raise InputError("is a directory, expected a file", where=entry.path)
    with unpacked(entry.path, entry.member, str(entry)) as file:
        yield file


def read_lines(source: Path | Entry, *, fallback: Fallback | None = None) -> Iterator[tuple[int, str | Damaged]]:
    r"""Yield (number from 1, text without its line end); `Damaged` where the line is not UTF-8 or too long.

    A byte order mark is dropped; ``\r\n`` counts as one line end.

    Args:
        source: the file.
        fallback: what the lines that are not UTF-8 are read as, for files of a time before it.

    Raises:
        InputError: see `open_binary`.
    """
    with open_binary(source) as file:
        number, rest, skipping = 0, b"", False
        while block := file.read(_BLOCK):
            if number == 0 and not rest:
                block = block.removeprefix(b"\xef\xbb\xbf")
            head, newline, tail = block.rpartition(b"\n")
            if not newline:
                if not skipping and len(rest) + len(block) > LONGEST_LINE:
                    skipping, rest = True, b""
                rest = b"" if skipping else rest + block
                continue
            if skipping:
                number, skipping = number + 1, False
                yield number, Damaged(f"line longer than {LONGEST_LINE >> 20} MiB")
                _, newline, head = head.partition(b"\n")
                if not newline:  # all of it still belonged to the long line
                    rest = tail
                    continue
            found, rest = decoded(rest + head, fallback), tail
            yield from enumerate(found, number + 1)
            number += len(found)
        if skipping:
            yield number + 1, Damaged(f"line longer than {LONGEST_LINE >> 20} MiB")
        elif rest:
            yield number + 1, decoded(rest, fallback)[0]


def decoded(block: bytes, fallback: Fallback | None = None) -> list[str | Damaged]:
    """Give the lines of a block (no line end behind the last), decoded one by one only where a byte is no UTF-8."""
    try:
        text = block.decode("utf-8")
    except UnicodeDecodeError:
        return [_decoded_line(line, fallback) for line in block.split(b"\n")]
    lines = text.split("\n")
    return [one.rstrip("\r") for one in lines] if "\r" in text else [*lines]


def _decoded_line(line: bytes, fallback: Fallback | None) -> str | Damaged:
    try:
        return line.decode("utf-8").rstrip("\r")
    except UnicodeDecodeError:
        if fallback is None:
            return Damaged("not UTF-8")
    try:
        text = line.decode(fallback.encoding).rstrip("\r")
    except UnicodeDecodeError:
        return Damaged(f"neither UTF-8 nor {fallback.encoding}")
    fallback.lines += 1
    return text

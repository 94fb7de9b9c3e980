"""Files of every packing as lines: plain, gzip, bzip2, inside a zip archive or a directory; never held whole.

A file that cannot be read ends in one clear `InputError`; a line that cannot be read (bytes that are no UTF-8, a line
without end) comes as `Damaged` and costs only itself.
"""

from __future__ import annotations

import bz2
import fnmatch
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from ehr.errors import InputError
from ehr.files import user_errors

LONGEST_LINE = 4 << 20
"""Bytes; a longer line is passed over and reported, so that a file without line ends cannot fill the memory."""

_BLOCK = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_BZIP2_MAGIC = b"BZh"
_PACKED = (".gz", ".bz2")
_ZIP_MAGIC = b"PK\x03\x04"
_HIDDEN = ("__MACOSX", ".")
_BOMB_SIZE, _BOMB_RATIO = 256 << 20, 300
"""No ontology shrinks to a 300th; a packed file that grows so much beyond this size is meant to fill the memory."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One readable file: by itself, or ``member`` of the zip archive ``path``."""

    path: Path
    member: str = ""

    @property
    def name(self) -> str:
        """Name without folders and without ``.gz`` or ``.bz2``."""
        return _unpacked(self.member.rpartition("/")[2] if self.member else self.path.name)

    def __str__(self) -> str:
        return f"{self.path}!{self.member}" if self.member else str(self.path)


def _unpacked(name: str) -> str:
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


def is_zip(path: Path) -> bool:
    """Say whether a file is a zip archive, whatever its name."""
    with user_errors(path), path.open("rb") as raw:
        return raw.read(4) == _ZIP_MAGIC


def entries(path: Path) -> list[Entry]:
    """List the files of a directory (with its sub-directories) or zip archive, by name; a plain file is itself.

    Raises:
        InputError: where there is nothing, or the archive is damaged.
    """
    if path.is_dir():
        return [Entry(p) for p in sorted(path.rglob("*")) if p.is_file() and not p.name.startswith(_HIDDEN)]
    if not path.exists():
        raise InputError("no such file or directory", where=path)
    if not is_zip(path):
        return [Entry(path)]
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(i.filename for i in archive.infolist() if not i.is_dir())
    except zipfile.BadZipFile as error:
        raise InputError("damaged zip archive", where=path, remedy="fetch it again") from error
    return [Entry(path, n) for n in names if not any(part.startswith(_HIDDEN) for part in n.split("/"))]


def find(path: Path, *patterns: str) -> Entry | None:
    """Give the first file whose name fits one of the patterns (``MRCONSO.RRF``, ``sct2_Concept_*.txt``).

    Names are compared without regard to case and without ``.gz`` or ``.bz2``; a pattern with a slash is compared with
    the end of the whole path. Earlier patterns win; among several files the last by name does (the newest of dated
    names).
    """
    present = entries(path)
    for pattern in patterns:
        wanted = pattern.lower()
        for entry in reversed(present):
            whole = _unpacked((entry.member or entry.path.as_posix()).lower())
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


def single(path: Path) -> Entry:
    """Give the one file that a path stands for: itself, or the only member of a zip archive.

    Raises:
        InputError: for a directory, or an archive of several files.
    """
    if path.is_dir():
        raise InputError("is a directory, expected a file", where=path)
    present = entries(path)
    if len(present) == 1:
        return present[0]
    shown = ", ".join(e.member for e in present[:4]) or "nothing"
    raise InputError(f"expected an archive of one file, found {shown}", where=path, remedy="unpack it, name the file")


class _Bounded(io.RawIOBase):
    """Counts what a packed stream gives and stops it where it grows beyond reason."""

    def __init__(self, stream: BinaryIO, packed: int, where: str) -> None:
        self._stream, self._packed, self._where, self._given = stream, max(packed, 1), where, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer))
        data = self._stream.read(len(view))
        view[: len(data)] = data
        self._given += len(data)
        if self._given > _BOMB_SIZE and self._given > _BOMB_RATIO * self._packed:
            raise InputError(
                f"unpacks to more than {_BOMB_RATIO} times its size", where=self._where, remedy="this is no ontology"
            )
        return len(data)


@contextmanager
def open_binary(source: Path | Entry) -> Iterator[BinaryIO]:
    """Open a file for reading, through zip, gzip and bzip2 where its first bytes say so, whatever its name.

    Raises:
        InputError: where the file is missing, cannot be read, its packing is truncated or damaged, or it unpacks to
            something beyond reason.
    """
    entry = source if isinstance(source, Entry) else None
    path = entry.path if entry is not None else cast(Path, source)
    try:
        with user_errors(path), ExitStack() as stack:
            if entry is None:
                if path.is_dir():
                    raise IsADirectoryError
                entry = single(path) if path.exists() and is_zip(path) else Entry(path)
            raw: io.BufferedReader[Any]
            if entry.member:
                archive = stack.enter_context(zipfile.ZipFile(path))
                packed = archive.getinfo(entry.member).compress_size
                member = stack.enter_context(archive.open(entry.member))
                raw = io.BufferedReader(_Bounded(cast(BinaryIO, member), packed, str(entry)), _BLOCK)
            else:
                packed = path.stat().st_size
                raw = stack.enter_context(path.open("rb"))
            opener = gzip.open if raw.peek(2)[:2] == _GZIP_MAGIC else bz2.open if _is_bzip2(raw.peek(10)) else None
            if opener is not None:
                unpacked = cast(BinaryIO, stack.enter_context(opener(raw)))
                raw = io.BufferedReader(_Bounded(unpacked, packed, str(entry)), _BLOCK)
            yield cast(BinaryIO, raw)
    except FileNotFoundError as error:
        raise InputError("no such file", where=path) from error
    except IsADirectoryError as error:
        raise InputError("is a directory, expected a file", where=path) from error
    except EOFError as error:
        raise InputError("truncated gzip or bzip2: no end marker", where=str(source), remedy=_AGAIN) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"damaged gzip ({error})", where=str(source), remedy=_AGAIN) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise InputError(f"damaged bzip2 ({error})", where=str(source), remedy=_AGAIN) from error
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "password" not in str(error):
            raise
        raise InputError(f"zip archive that cannot be read ({error})", where=str(source), remedy=_AGAIN) from error


_AGAIN = "fetch it again"


def _is_bzip2(head: bytes) -> bool:
    """Say whether a file begins as bzip2 does: ``BZh``, a digit, and the mark of the first or of no block."""
    return head[:3] == _BZIP2_MAGIC and head[4:10] in (b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90")


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

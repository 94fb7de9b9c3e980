"""Makes a CSV file readable whose bytes are partly broken, so that no record is lost that can be read.

The whole file is read once before it is ingested: whether it is UTF-8 throughout, whether a packed file is whole, and
whether every quoted field is closed (one that is not would swallow what follows it). Only a file with a fault is
copied, mended, into the workspace; the copy is read in its place.
"""

from __future__ import annotations

import csv
import io
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ehr.workspace import broken_gzip

MENDED = "bytes that are no UTF-8 were read as Windows-1252"
OPEN_QUOTE = "a quote that is not closed"
CUT_SHORT = "the packed file ends early"

_CHUNK = 1 << 20
_LONGEST = 4 << 20
csv.field_size_limit(2 * _LONGEST)


def mend(path: Path, columns: int, copy: Path, *, keep_going: bool = False, quoted: bool = True) -> Counter[str]:
    """Look through a CSV file and write a mended copy where that is needed.

    Args:
        path: the file, packed or not.
        columns: how many columns it has.
        copy: where the mended copy goes; not written where the file is sound.
        keep_going: read a truncated packed file up to its break.
        quoted: whether a quote opens a field; in tab-separated files it is a character like any other.

    Returns:
        How many lines were mended or left out, by kind; empty for a sound file.

    Raises:
        InputError: for a truncated or damaged gzip, unless ``keep_going``.
    """
    found: Counter[str] = Counter()
    for _ in _records(path, columns, found, keep_going=keep_going, quoted=quoted):
        pass
    if found:
        found.clear()
        with copy.open("wb") as out:
            out.writelines(_records(path, columns, found, keep_going=keep_going, quoted=quoted))
    return found


def _pieces(path: Path) -> Iterator[bytes]:
    """Give a file's bytes, unpacked, all that there are before an error is raised."""
    with path.open("rb") as file:
        if not path.name.lower().endswith(".gz"):
            yield from iter(lambda: file.read(_CHUNK), b"")
            return
        member = zlib.decompressobj(wbits=31)
        while packed := file.read(_CHUNK >> 2):
            while packed:
                yield member.decompress(packed)
                packed = b""
                if member.eof:  # packed files may be put one after the other, and be filled up with zeros
                    packed = member.unused_data.lstrip(b"\0")
                    member = zlib.decompressobj(wbits=31) if packed else member
        if not member.eof:
            raise EOFError


def _chunks(path: Path, found: Counter[str], *, keep_going: bool) -> Iterator[bytes]:
    """Give the file's bytes in pieces that end at line ends."""
    rest: list[bytes] = []
    try:
        for piece in _pieces(path):
            end = piece.rfind(b"\n") + 1
            if end:
                yield b"".join([*rest, piece[:end]])
                rest = []
            rest.append(piece[end:])
    except (EOFError, zlib.error) as error:
        if not keep_going:
            raise broken_gzip(path) from error
        found[CUT_SHORT] += 1  # what stands after the last line end is no whole record
        return
    if any(rest):
        yield b"".join(rest)


def _records(path: Path, columns: int, found: Counter[str], *, keep_going: bool, quoted: bool) -> Iterator[bytes]:
    """Give sound text in pieces, counting what was mended or left out."""
    held: list[bytes] = []  # a line that opened a quote, and those after it
    for chunk in _chunks(path, found, keep_going=keep_going):
        text = chunk if chunk.isascii() else _decoded(chunk, found)
        if held or (quoted and b'"' in text):
            yield b"".join(_closed(text.split(b"\n"), columns, held, found))
        else:
            yield text
    while held:
        # Nothing closes it any more: its first line is left out, the others are looked at anew.
        found[OPEN_QUOTE] += 1
        again, held = held[1:], []
        yield b"".join(_closed([line.removesuffix(b"\n") for line in again] + [b""], columns, held, found))


def _closed(lines: list[bytes], columns: int, held: list[bytes], found: Counter[str]) -> Iterator[bytes]:
    """Give the lines of records whose quotes are closed; what waits for its closing quote stays in ``held``."""
    last = lines.pop()
    waiting = [line + b"\n" for line in reversed(lines)]
    if last:
        waiting.insert(0, last)
    size = sum(map(len, held))
    while waiting:
        line = waiting.pop()
        odd = line.count(b'"') & 1
        if not held and (not odd or _is_record([line], columns)):
            yield line
            continue
        held.append(line)
        size += len(line)
        if odd and len(held) > 1 and _is_record(held, columns):
            yield from held
        elif (odd and len(held) > 1) or size > _LONGEST:
            found[OPEN_QUOTE] += 1
            waiting.extend(reversed(held[1:]))
        else:
            continue
        held.clear()
        size = 0


def _decoded(chunk: bytes, found: Counter[str]) -> bytes:
    try:
        chunk.decode("utf-8")
    except UnicodeDecodeError:
        lines = chunk.split(b"\n")
        return b"\n".join(_mended_line(line, found) for line in lines)
    return chunk


def _mended_line(line: bytes, found: Counter[str]) -> bytes:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        found[MENDED] += 1
        return line.decode("cp1252", errors="replace").encode("utf-8")
    return line


def _is_record(lines: list[bytes], columns: int) -> bool:
    text = io.StringIO(b"".join(lines).decode("utf-8"), newline="")
    try:
        rows = list(csv.reader(text, strict=True))
    except csv.Error:
        return False
    return len(rows) == 1 and len(rows[0]) == columns

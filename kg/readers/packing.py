"""What a file is and how it is packed: regular files, zip archives, gzip and bzip2, and all that can be odd about them.

Whatever stands in a file, opening it and unpacking it ends in bytes or in one `InputError`: pipes and devices are not
opened, damage and encryption are named, and what unpacks or lists more than reason allows is stopped.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from ehr.errors import InputError
from ehr.files import user_errors

MOST_FILES = 50_000
"""Of one source; a release has some hundreds."""

HIDDEN = ("__MACOSX", ".")
"""How names begin that are no part of a source."""

_BLOCK = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_BZIP2_MAGIC = b"BZh"
_ZIP_MAGIC = b"PK\x03\x04"
_AGAIN = "fetch it again"
_LARGEST_DIRECTORY = 8 << 20
"""Bytes of a zip archive's list of files, 46 and the name for each."""

_LONGEST_END = 22 + (1 << 16) + 20
"""Bytes at the end of a zip archive that tell where its list of files is."""

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
_BOMB_SIZE, _BOMB_RATIO = 256 << 20, 300
"""No ontology shrinks to a 300th; a packed file that grows so much beyond this size is meant to fill the memory."""


def printable(name: str) -> str:
    r"""Give a file's name with a question mark for what is no character (names of files are any bytes).

    >>> printable("a\udcff.obo"), printable("a\x1b[2J")
    ('a?.obo', 'a?[2J')
    """
    return name if name.isprintable() else "".join(c if c.isprintable() else "?" for c in name)


def is_directory(path: Path) -> bool:
    """Say whether a path is a directory; what is neither that nor a regular file is refused.

    A pipe or device would be read without end, or never answer.

    Raises:
        InputError: for these, where there is nothing, or where it may not be looked at.
    """
    try:
        with user_errors(path):
            mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise InputError("no such file or directory", where=path) from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InputError("is neither a file nor a directory", where=path, remedy="write its content to a file first")
    return stat.S_ISDIR(mode)


def is_zip(path: Path) -> bool:
    """Say whether a file is a zip archive, whatever its name."""
    if is_directory(path):
        return False
    with user_errors(path), path.open("rb") as raw:
        return raw.read(4) == _ZIP_MAGIC


def files_below(folder: Path) -> list[Path]:
    """Give the files of a directory and of those below it, by path; symbolic links to directories are not followed.

    Names that begin with a point, and what is no regular file, are left out.

    Raises:
        InputError: where a directory may not be read; beyond `MOST_FILES`.
    """

    def fail(error: OSError) -> None:
        raise error

    found: list[Path] = []
    with user_errors(folder):
        for place, folders, names in os.walk(folder, onerror=fail):
            folders.sort()
            paths = (Path(place, name) for name in names if not name.startswith(HIDDEN))
            found += [path for path in paths if path.is_file()]
            if len(found) > MOST_FILES:
                raise too_many(folder)
    return sorted(found)


def too_many(path: Path) -> InputError:
    """Give the error for a source of more than `MOST_FILES`."""
    return InputError(f"holds more than {MOST_FILES:,} files", where=path, remedy="name the files of one release")


def members(path: Path) -> list[str]:
    """Give the names of a zip archive's files.

    Raises:
        InputError: where it is damaged; beyond `MOST_FILES`.
    """
    with user_errors(path), zip_errors(str(path)):
        if _directory_size(path) > _LARGEST_DIRECTORY:
            raise too_many(path)
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in archive.infolist() if not info.is_dir()]
    if len(names) > MOST_FILES:
        raise too_many(path)
    return names


def _directory_size(path: Path) -> int:
    """Give the size of a zip archive's list of files as its end states it (0 where there is no end), zip64 or not.

    Source: APPNOTE.TXT of PKWARE, sections 4.3.14 to 4.3.16.
    """
    with path.open("rb") as raw:
        size = raw.seek(0, os.SEEK_END)
        raw.seek(max(0, size - _LONGEST_END))
        tail = raw.read()
        at = tail.rfind(b"PK\x05\x06")
        if at < 0 or len(tail) < at + 22:
            return 0
        stated = int.from_bytes(tail[at + 12 : at + 16], "little")
        locator = tail[at - 20 : at] if at >= 20 else b""
        if locator[:4] == b"PK\x06\x07":
            raw.seek(min(size, int.from_bytes(locator[8:16], "little")))
            stated = max(stated if stated < 0xFFFFFFFF else 0, int.from_bytes(raw.read(56)[40:48], "little"))
    return min(stated, size)


@contextmanager
def zip_errors(where: str) -> Iterator[None]:
    """Turn all that zipfile raises for a damaged, encrypted or unusual archive into `InputError`."""
    try:
        yield
    except (zipfile.BadZipFile, EOFError, zlib.error, LookupError, ValueError, struct.error) as error:
        reason = " ".join(str(error).split())[:80]
        raise InputError(f"damaged zip archive ({printable(reason)})", where=where, remedy=_AGAIN) from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # a place before the beginning of the file
            raise
        raise InputError("damaged zip archive", where=where, remedy=_AGAIN) from error
    except (NotImplementedError, RuntimeError) as error:
        encrypted = "password" in str(error)
        what = "is encrypted" if encrypted else f"cannot be unpacked ({printable(str(error)[:80])})"
        raise InputError(f"zip archive that {what}", where=where, remedy="unpack it and name what it held") from error


@contextmanager
def unpacked(path: Path, member: str, where: str) -> Iterator[BinaryIO]:
    """Open a file, or a member of a zip archive, through gzip and bzip2 where its first bytes say so.

    Args:
        path: the file or archive.
        member: name in the archive; empty for the file itself.
        where: what errors call it.

    Raises:
        InputError: where it cannot be read, its packing is truncated, damaged or encrypted, or it unpacks to something
            beyond reason.
    """
    with user_errors(path), ExitStack() as stack:
        raw: io.BufferedReader[Any]
        packed = path.stat().st_size
        if member:
            stream, packed = _member(stack, path, member, where)
            raw = io.BufferedReader(_Bounded(stream, packed, where, "zip archive"), _BLOCK)
        else:
            raw = stack.enter_context(path.open("rb"))
        for kind, opener, found in (
            ("gzip", gzip.open, raw.peek(2)[:2] == _GZIP_MAGIC),
            ("bzip2", bz2.open, _is_bzip2(raw.peek(10))),
        ):
            if found:
                stream = cast(BinaryIO, stack.enter_context(opener(raw)))
                raw = io.BufferedReader(_Bounded(stream, packed, where, kind), _BLOCK)
                break
        yield cast(BinaryIO, raw)


def _member(stack: ExitStack, path: Path, name: str, where: str) -> tuple[BinaryIO, int]:
    """Open a member of a zip archive; gives its packed size too, never more than the archive's."""
    with zip_errors(where):
        archive = stack.enter_context(zipfile.ZipFile(path))
        info = archive.getinfo(name)
        if info.compress_type not in _METHODS:  # LZMA takes the memory that the file asks for
            raise NotImplementedError(f"packed by method {info.compress_type}")
        return cast(BinaryIO, stack.enter_context(archive.open(info))), min(info.compress_size, path.stat().st_size)


class _Bounded(io.RawIOBase):
    """A packed stream that names its damage, and stops where it grows beyond reason."""

    def __init__(self, stream: BinaryIO, packed: int, where: str, kind: str) -> None:
        self._stream, self._packed, self._where, self._kind, self._given = stream, max(packed, 1), where, kind, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer))
        try:
            data = self._stream.read(len(view))
        except EOFError as error:
            raise InputError(f"truncated {self._kind}: no end marker", where=self._where, remedy=_AGAIN) from error
        except (zipfile.BadZipFile, zlib.error, gzip.BadGzipFile, ValueError, struct.error) as error:
            raise self._damaged(error) from error
        except OSError as error:  # bz2 raises those for damage too, but without a number
            if error.errno not in (None, errno.EINVAL):
                raise
            raise self._damaged(error) from error
        view[: len(data)] = data
        self._given += len(data)
        if self._given > _BOMB_SIZE and self._given > _BOMB_RATIO * self._packed:
            raise InputError(
                f"unpacks to more than {_BOMB_RATIO} times its size", where=self._where, remedy="this is no ontology"
            )
        return len(data)

    def _damaged(self, error: Exception) -> InputError:
        reason = printable(str(error)[:80])
        return InputError(f"damaged {self._kind} ({reason})", where=self._where, remedy=_AGAIN)


def _is_bzip2(head: bytes) -> bool:
    """Say whether a file begins as bzip2 does: ``BZh``, a digit, and the mark of the first or of no block."""
    return head[:3] == _BZIP2_MAGIC and head[4:10] in (b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90")

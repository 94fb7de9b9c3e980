"""Text files line by line, compressed or not, with one clear error where the file is broken."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from ehr.errors import InputError
from ehr.files import user_errors

_GZIP_MAGIC = b"\x1f\x8b"


@contextmanager
def open_binary(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, through gzip where its first bytes say so, whatever its name.

    Raises:
        InputError: where the file is missing, cannot be read, or its gzip is truncated or damaged.
    """
    try:
        with user_errors(path), path.open("rb") as raw:
            zipped = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            if zipped:
                with gzip.open(raw) as unzipped:
                    yield cast(BinaryIO, unzipped)
            else:
                yield raw
    except FileNotFoundError as error:
        raise InputError("no such file", where=path) from error
    except IsADirectoryError as error:
        raise InputError("is a directory, expected a file", where=path) from error
    except EOFError as error:
        raise InputError("truncated gzip: ends before its end marker", where=path, remedy="fetch it again") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"damaged gzip ({error})", where=path, remedy="fetch it again") from error


def read_lines(path: Path) -> Iterator[tuple[int, str | None]]:
    r"""Yield (number from 1, text without its line end); text is None where the line is not UTF-8.

    A byte order mark is dropped; ``\r\n`` counts as one line end.

    Raises:
        InputError: see `open_binary`.
    """
    with open_binary(path) as file:
        for number, raw in enumerate(file, start=1):
            if number == 1:
                raw = raw.removeprefix(b"\xef\xbb\xbf")
            try:
                yield number, raw.decode("utf-8").rstrip("\r\n")
            except UnicodeDecodeError:
                yield number, None

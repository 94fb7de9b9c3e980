"""Reads small CSV files: those of the package, and a user's own of the same form."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from ehr.errors import InputError
from ehr.files import user_errors


def package_records(name: str, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Give the records of a data file of this package, each with its line.

    Raises:
        InputError: where its columns are not these.
    """
    text = (files("ehr") / name).read_text(encoding="utf-8")
    reader = csv.DictReader(text.splitlines())
    if tuple(reader.fieldnames or ()) != columns:
        raise InputError(f"columns are {reader.fieldnames}, expected {list(columns)}", where=f"ehr/{name}")
    yield from enumerate(reader, start=2)


def own_records(path: Path, needed: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Give the records of a user's CSV, trimmed, each with its line; names of columns are in lower case.

    Raises:
        InputError: for a file that is not there or not in UTF-8, or where a needed column is missing.
    """
    try:
        with user_errors(path):
            text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputError("no such file", where=path) from error
    except UnicodeDecodeError as error:
        raise InputError("not readable as CSV in UTF-8", where=path) from error
    reader = csv.DictReader(text.splitlines())
    names = [name.strip().lower() for name in reader.fieldnames or ()]
    reader.fieldnames = names
    if not set(needed) <= set(names):
        raise InputError(
            f"columns are {', '.join(names) or 'none'}", where=path, remedy=f"expected {', '.join(needed)}"
        )
    for line, row in enumerate(reader, start=2):
        yield line, {key: (value or "").strip() for key, value in row.items() if key}


def optional_number(text: str) -> float | None:
    """Read a number; an empty text is none.

    Raises:
        ValueError: for any other text that is no number.
    """
    return float(text) if text else None

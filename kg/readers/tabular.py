"""Tables as text (CSV, TSV, pipe-separated RRF) row by row; a bad row becomes a reject and costs only itself."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ehr.errors import InputError
from kg.readers.lines import Damaged, Entry, Fallback, read_lines
from kg.readers.records import Reject

_LONGEST_FIELD = 1 << 20
_MOST_LINES = 500
"""Lines that one quoted field may span; a quote that is still open then was never closed."""

csv.field_size_limit(8 << 20)


@dataclass(frozen=True, slots=True)
class Row:
    """One record; ``line`` is the number of the line that it begins on."""

    line: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        """Give a cell, trimmed; empty where the table lacks the column."""
        return self.cells.get(column, "")


def read_table(
    source: Path | Entry,
    *,
    needed: Sequence[str],
    delimiter: str = ",",
    quoted: bool = True,
    columns: Sequence[str] | None = None,
    aliases: Mapping[str, str] | None = None,
    comment: str = "",
    preamble: int = 0,
    fallback: Fallback | None = None,
    what: str = "",
) -> Iterator[Row | Reject]:
    """Yield the rows of a table as dictionaries by column name; rows that cannot be read as rejects.

    Args:
        source: the file.
        needed: columns without which the table is of no use.
        delimiter: between cells.
        quoted: whether double quotes enclose cells (and may hold line breaks).
        columns: names, for tables without a header line.
        aliases: other names of columns (as written, in small letters) to those of ``needed``.
        comment: lines that begin with it are passed over.
        preamble: how many lines of title may stand before the header line.
        fallback: what lines that are not UTF-8 are read as.
        what: what the file should be, for the error.

    Raises:
        InputError: where the file cannot be read, is empty, or lacks a needed column.
    """
    renamed = dict(aliases or {})
    names = list(columns) if columns is not None else []
    first: list[str] | None = None
    for line, cells in records(read_lines(source, fallback=fallback), delimiter, quoted, comment):
        if isinstance(cells, Reject):
            yield cells
            continue
        if not names:
            found = [renamed.get(cell.strip().lower(), cell.strip()) for cell in cells]
            first = first or found
            if all(column in found for column in needed):
                names = found
            elif preamble > 0:
                preamble -= 1
            else:
                check_header(first, needed, source, what)
            continue
        if len(cells) == len(names) + 1 and not cells[-1].strip():
            cells = cells[:-1]  # a delimiter at the end of every line, as RRF has it
        if len(cells) != len(names):
            yield Reject(f"line {line}", f"{len(cells)} columns, expected {len(names)}")
            continue
        yield Row(line, {name: cell.strip() for name, cell in zip(names, cells, strict=True)})
    if not names:
        if first is not None:
            check_header(first, needed, source, what)
        raise InputError("no header line, the file is empty", where=str(source), remedy=hint(what))


def check_header(names: Sequence[str], needed: Sequence[str], source: Path | Entry, what: str) -> None:
    """Raise `InputError` where a needed column is not among the names."""
    for column in needed:
        if column not in names:
            found = ", ".join(name[:40] for name in names[:12]) or "nothing"
            raise InputError(f"no column {column!r}, found {found}", where=str(source), remedy=hint(what))


def hint(what: str) -> str | None:
    """Ask whether the file is what it should be, as the remedy of an `InputError`."""
    return f"is this {what}?" if what else None


def records(
    lines: Iterable[tuple[int, str | Damaged]], delimiter: str, quoted: bool, comment: str
) -> Iterator[tuple[int, list[str] | Reject]]:
    """Yield (number of its first line, cells) of each record; what cannot be split as a reject."""
    held: list[tuple[int, str]] = []
    size = 0
    for number, text in lines:
        if isinstance(text, Damaged):
            yield from _unclosed(held, delimiter)
            held = []
            yield number, Reject(f"line {number}", text.reason)
            continue
        if not held and (not text.strip() or (comment and text.startswith(comment))):
            continue
        if not quoted:
            yield number, text.split(delimiter)
            continue
        still_open = _open(text, delimiter, within=bool(held))
        size = size + len(text) if held else len(text)
        held.append((number, text))
        if still_open:
            if len(held) > _MOST_LINES or size > _LONGEST_FIELD:
                yield from _unclosed(held, delimiter)
                held = []
            continue
        yield _record(held[0][0], "\n".join(part for _, part in held), delimiter)
        held = []
    yield from _unclosed(held, delimiter)


def _unclosed(held: list[tuple[int, str]], delimiter: str) -> Iterator[tuple[int, list[str] | Reject]]:
    """Give up on the first of the lines that an open quote holds together, and read the others by themselves."""
    if not held:
        return
    yield held[0][0], Reject(f"line {held[0][0]}", "a double quote that does not close")
    for number, text in held[1:]:
        if _open(text, delimiter):
            yield number, Reject(f"line {number}", "a double quote that does not close")
        elif text.strip():
            yield _record(number, text, delimiter)


def _open(text: str, delimiter: str, *, within: bool = False) -> bool:
    """Say whether a cell in quotes goes on behind a line; a quote amid a cell (5" tube) opens none.

    Args:
        text: the line.
        delimiter: between cells.
        within: whether the line begins inside of such a cell.
    """
    if '"' not in text:
        return within
    if not within and text.count('"') % 2 == 0:
        return False
    reader = csv.reader((('"' if within else "") + text + "\n", "\n"), delimiter=delimiter)
    try:
        next(reader)
    except csv.Error:
        return False
    return reader.line_num > 1


def _record(number: int, text: str, delimiter: str) -> tuple[int, list[str] | Reject]:
    cells = _split(text, delimiter)
    return number, Reject(f"line {number}", cells) if isinstance(cells, str) else cells


def _split(text: str, delimiter: str) -> list[str] | str:
    """Give the cells, or why there are none (a carriage return amid a line, a cell too long)."""
    try:
        return next(csv.reader((part + "\n" for part in text.split("\n")), delimiter=delimiter), [])
    except csv.Error as error:
        if "new-line" in str(error):
            return "a line end inside a cell without quotes"
        return str(error).partition(" - ")[0]

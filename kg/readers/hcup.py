"""Tables of AHRQ's HCUP tools: CSV whose cells stand in apostrophes and are filled up with blanks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from kg.readers.icd_codes import unquoted
from kg.readers.lines import Entry, Fallback, read_lines
from kg.readers.records import Reject
from kg.readers.tabular import Row, read_table

TITLE_LINES = 10
"""Lines that may stand before the header (a note on new codes, the tool's name)."""


def head(entry: Entry) -> str:
    """Give the first lines of a file in small letters, to tell which table it is; long ones cut."""
    lines = itertools.islice(read_lines(entry, fallback=Fallback("latin-1")), TITLE_LINES + 2)
    return "\n".join(text[:2000].lower() for _, text in lines if isinstance(text, str))


def read_hcup(entry: Entry, columns: Mapping[str, str], needed: Sequence[str], what: str) -> Iterator[Row | Reject]:
    """Yield rows as `kg.readers.tabular.read_table` does, the apostrophes taken off header and cells.

    Args:
        entry: the file.
        columns: names of columns in small letters to those that ``needed`` and the caller use.
        needed: columns without which the table is of no use.
        what: what the file should be, for the error.

    Raises:
        InputError: where the file cannot be read, or lacks a needed column.
    """
    aliases = {written: name for key, name in columns.items() for written in (key, f"'{key}'", f"'{key} '")}
    for row in read_table(
        entry, needed=needed, aliases=aliases, preamble=TITLE_LINES, fallback=Fallback("cp1252"), what=what
    ):
        if isinstance(row, Row):
            yield Row(row.line, {name: unquoted(cell) for name, cell in row.cells.items()})
        else:
            yield row

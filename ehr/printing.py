"""Tables on standard output, and options of the form ``name=value``: what every command prints and reads alike."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum

from rich.console import Console
from rich.table import Table

from ehr.errors import InputError

_LINE = 18
"""Characters of a cell that should stand in one line; what is longer may be folded."""
_FOLDED = 1.35
"""How much wider than the screen a table may be, folded cells making up for it."""


class Format(StrEnum):
    """How a table is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def emit(rows: Sequence[Mapping[str, object]], how: Format, *, title: str | None = None) -> None:
    """Print rows as a table, as a JSON array of objects, or as CSV, on standard output."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    if how is Format.JSON:
        sys.stdout.write(json.dumps(list(rows), indent=2, ensure_ascii=False, default=str) + "\n")
    elif how is Format.CSV:
        writer = csv.DictWriter(sys.stdout, fieldnames=columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: cell(row.get(name)) for name in columns} for row in rows)
    else:
        console = Console(highlight=False, markup=False)
        if not columns:
            console.print("no rows")
        elif not _fits(rows, columns, console.width):
            console.print(*as_records(rows, title), sep="\n")
        else:
            console.print(as_table(rows, title))


def _fits(rows: Sequence[Mapping[str, object]], columns: Sequence[str], width: int) -> bool:
    """Say whether rows can be read side by side; columns too narrow for their words are puzzled out, not read."""
    needed = sum(3 + min(_LINE, max(len(name), *(len(cell(row.get(name))) for row in rows), 0)) for name in columns)
    return needed <= _FOLDED * width


def as_records(rows: Sequence[Mapping[str, object]], title: str | None = None) -> list[str | Table]:
    """Give rows one below the other, a line a column, empty ones left out: for more columns than fit side by side."""
    parts: list[str | Table] = [title] if title else []
    for row in rows:
        record = Table(box=None, show_header=False, pad_edge=False)
        record.add_column(style="dim", no_wrap=True)
        record.add_column(overflow="fold")
        for name, value in row.items():
            if text := cell(value):
                record.add_row(name, text)
        parts += [record, ""]
    return parts[:-1] if rows else parts


def as_table(rows: Sequence[Mapping[str, object]], title: str | None = None) -> Table:
    """Give rows as a table to print."""
    table = Table(title=title, title_justify="left")
    columns = list(dict.fromkeys(name for row in rows for name in row))
    for name in columns:
        numeric = all(isinstance(row.get(name), int | float | None) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell(row.get(name)) for name in columns))
    return table


def cell(value: object) -> str:
    """Give a value as it stands in a table or CSV."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def pairs(values: list[str] | None) -> dict[str, object]:
    """Read ``name=value`` options; a value is JSON where it parses as JSON, else text.

    Raises:
        InputError: for a text without a name or an equals sign.
    """
    result: dict[str, object] = {}
    for item in values or []:
        name, sign, text = item.partition("=")
        if not sign or not name:
            raise InputError(f"expected NAME=VALUE, found {item!r}", where="-p")
        try:
            result[name] = json.loads(text)
        except json.JSONDecodeError:
            result[name] = text
    return result

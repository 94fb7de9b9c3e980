"""Delimited files of millions of rows (UMLS's RRF, SNOMED CT's RF2) as polars frames, block by block.

No row becomes a Python object: a block of whole lines is parsed as columns. Only a block with a line that cannot be
read is taken apart line by line, so that such a line costs itself alone and is named by its number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import polars as pl
import pyarrow as pa
import pyarrow.csv as arrow_csv

from ehr.errors import InputError
from kg.readers.lines import LONGEST_LINE, Damaged, Entry, open_binary
from kg.readers.records import Reject

_BLOCK = LONGEST_LINE
"""Bytes read at a time; a line is longer than allowed where it does not fit into one block."""

_AFTER = "\n"
"""Name of the empty column behind a delimiter at the end of the line; no column of a file can be called so."""

_HOPELESS = 1000
"""So many rows that cannot be read, and none that can: this is another file than it should be."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the rows of a file are written.

    Attributes:
        what: the file, for errors (``MRCONSO.RRF of a UMLS release``).
        columns: names in order; empty where the first line of the file has them.
        keep: the columns that are wanted.
        delimiter: one character; quotes have no meaning.
        ends: whether a delimiter usually ends the line, too; either way it may, and adds no column.
        comment: lines that begin with it are passed over; empty for none.
    """

    what: str
    keep: tuple[str, ...]
    columns: tuple[str, ...] = ()
    delimiter: str = "|"
    ends: bool = True
    comment: str = ""


def read_blocks(source: Path | Entry) -> Iterator[tuple[int, bytes | Damaged]]:
    r"""Yield (number of the first line from 1, some whole lines without the last line end).

    A line of more than `LONGEST_LINE` comes by itself as `Damaged`; a byte order mark is dropped, ``\r\n`` is ``\n``.

    Raises:
        InputError: see `kg.readers.lines.open_binary`.
    """
    with open_binary(source) as file:
        number, rest, skipping, fresh = 1, b"", False, True
        while block := file.read(_BLOCK):
            if fresh:
                block, fresh = block.removeprefix(b"\xef\xbb\xbf"), False
            head, newline, tail = block.rpartition(b"\n")
            if not newline:
                skipping = skipping or len(rest) + len(block) > LONGEST_LINE
                rest = b"" if skipping else rest + block
                continue
            if skipping or len(rest) + len(head.partition(b"\n")[0]) > LONGEST_LINE:
                yield number, Damaged(f"line longer than {LONGEST_LINE >> 20} MiB")
                number, skipping, rest = number + 1, False, b""
                _, newline, head = head.partition(b"\n")
                if not newline:  # all of it belonged to the long line
                    rest = tail
                    continue
            whole, rest = rest + head, tail
            yield number, _unix(whole)
            number += whole.count(b"\n") + 1
        if skipping:
            yield number, Damaged(f"line longer than {LONGEST_LINE >> 20} MiB")
        elif rest:
            yield number, _unix(rest)


def _unix(block: bytes) -> bytes:
    return block.replace(b"\r\n", b"\n").removesuffix(b"\r") if b"\r" in block else block


def read_frames(source: Path | Entry, layout: Layout) -> Iterator[pl.DataFrame | Reject]:
    """Yield frames with a column ``line`` and the wanted ones (texts, as written), and rows that cannot be read.

    Empty lines are passed over. Every frame has at least one row.

    Raises:
        InputError: where the file cannot be read, lacks a wanted column, or holds not one row that can be read though
            it is not empty.
    """
    rejects: list[Reject] = []
    good = False
    parser = _Parser(source, layout)
    for number, block in read_blocks(source):
        found: Iterable[pl.DataFrame | Reject] = (
            [Reject(f"line {number}", block.reason)] if isinstance(block, Damaged) else parser.parse(number, block)
        )
        for one in found:
            if isinstance(one, Reject) and not good:
                rejects.append(one)  # held back until it is known that this is the right kind of file
                if len(rejects) >= _HOPELESS:
                    raise _hopeless(source, layout, rejects[0])
                continue
            if not good:
                yield from rejects
                good, rejects = True, []
            yield one
    if not good and rejects and not parser.header_only:
        raise _hopeless(source, layout, rejects[0])
    yield from rejects


def _hopeless(source: Path | Entry, layout: Layout, first: Reject) -> InputError:
    return InputError(
        f"no row that can be read; {first.record}: {first.reason}",
        where=str(source),
        remedy=f"is this {layout.what}?",
    )


class _Parser:
    """Turns blocks into frames; knows the columns once the header line is met."""

    def __init__(self, source: Path | Entry, layout: Layout) -> None:
        self.source, self.layout = source, layout
        self.columns: tuple[str, ...] = layout.columns
        self._delimiter = layout.delimiter.encode()

    @property
    def header_only(self) -> bool:
        """Whether a header line has been met: then a file without rows is simply empty."""
        return bool(self.columns) and not self.layout.columns

    def parse(self, number: int, block: bytes) -> Iterator[pl.DataFrame | Reject]:
        """Yield the rows of a block; rejects first."""
        if not self.columns:
            number, block = self._header(number, block)
        frame = self._fast(number, block) if block else None
        if frame is not None:
            yield frame
        elif block:
            yield from self._careful(number, block)

    def _header(self, number: int, block: bytes) -> tuple[int, bytes]:
        """Take the column names from the first line that is no comment; give what follows it."""
        while block:
            raw, _, block = block.partition(b"\n")
            number += 1
            text = raw.decode("utf-8", "replace").strip("\r")
            if not text.strip() or (self.layout.comment and text.startswith(self.layout.comment)):
                continue
            names = tuple(cell.strip() for cell in text.split(self.layout.delimiter))
            for column in self.layout.keep:
                if column not in names:
                    shown = ", ".join(name[:40] for name in names[:12])
                    raise InputError(
                        f"no column {column!r}, found {shown}",
                        where=str(self.source),
                        remedy=f"is this {self.layout.what}?",
                    )
            if len(set(names)) < len(names):
                raise InputError("two columns of one name", where=f"{self.source} line {number - 1}")
            self.columns = names
            break
        return number, block

    def _fast(self, number: int, block: bytes) -> pl.DataFrame | None:
        """Parse a block without a fault as a whole; None where it has one."""
        lines = block.count(b"\n") + 1
        comment = self.layout.comment.encode()
        if comment and (block.startswith(comment) or b"\n" + comment in block):
            return None
        try:
            block.decode("utf-8")
        except UnicodeDecodeError:
            return None
        cells = block[: (block + b"\n").index(b"\n")].count(self._delimiter) + 1
        names = [*self.columns, _AFTER] if cells == len(self.columns) + 1 else list(self.columns)
        if block.count(self._delimiter) != lines * (len(names) - 1):
            return None
        after = [_AFTER] if len(names) > len(self.columns) else []
        try:
            table = arrow_csv.read_csv(
                pa.py_buffer(block),
                read_options=arrow_csv.ReadOptions(column_names=names, block_size=len(block) + 1, use_threads=False),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=self.layout.delimiter, quote_char=False, escape_char=False, newlines_in_values=False
                ),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()),
                    include_columns=[*self.layout.keep, *after],
                    strings_can_be_null=False,
                    check_utf8=False,
                ),
            )
        except pa.ArrowInvalid:
            return None
        frame = cast(pl.DataFrame, pl.from_arrow(table))
        if frame.height != lines or (after and (frame[_AFTER] != "").any()):
            return None
        counted = pl.int_range(number, number + lines, dtype=pl.Int64, eager=True).alias("line")
        return frame.select(counted, *self.layout.keep)

    def _careful(self, number: int, block: bytes) -> Iterator[pl.DataFrame | Reject]:
        """Parse a block line by line."""
        wanted = [self.columns.index(name) for name in self.layout.keep]
        rows: list[tuple[object, ...]] = []
        for line, raw in enumerate(block.split(b"\n"), start=number):
            try:
                text = raw.decode("utf-8")
            except UnicodeDecodeError:
                yield Reject(f"line {line}", "not UTF-8")
                continue
            if not text.strip() or (self.layout.comment and text.startswith(self.layout.comment)):
                continue
            cells = text.split(self.layout.delimiter)
            if len(cells) == len(self.columns) + 1 and not cells[-1]:
                cells.pop()
            if len(cells) != len(self.columns):
                count = len(cells) - (self.layout.ends and not cells[-1])
                yield Reject(f"line {line}", f"{count} columns, expected {len(self.columns)}")
                continue
            rows.append((line, *(cells[at] for at in wanted)))
        if rows:
            yield pl.DataFrame(rows, schema=frame_schema(self.layout.keep), orient="row")


def frame_schema(columns: Sequence[str]) -> dict[str, type[pl.DataType]]:
    """Give the types of a frame of `read_frames`."""
    return {"line": pl.Int64, **dict.fromkeys(columns, pl.String)}

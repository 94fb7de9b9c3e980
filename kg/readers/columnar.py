"""Large tables as text (CSV, TSV) in pieces of columns; a bad row becomes a reject with its line and costs only itself.

A piece is some MiB of whole lines and is read by Arrow. Where Arrow refuses one (bytes that are no UTF-8) or joins
lines (a quote that does not close), the piece is halved until what is refused is small, and that is read line by line
as `kg.readers.tabular` does it: the outcome is the same, only the speed differs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import compute, csv

from ehr.errors import InputError
from kg.readers.lines import LONGEST_LINE, Damaged, Entry, decoded, open_binary
from kg.readers.records import Reject
from kg.readers.tabular import check_header, hint, records

BLOCK = 16 << 20
"""Bytes that are read at once, unless a layout says otherwise."""

_SMALL = 1 << 16
"""Bytes of a refused piece that is not halved any further."""

_BOM = b"\xef\xbb\xbf"

Piece = tuple[int, bytes | Damaged]
"""Number of the first line, and whole lines; `Damaged` stands for one line that is too long."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a table.

    Attributes:
        table: the columns asked for that the table has, as text (``coded`` ones dictionary-encoded), each column in one
            Arrow chunk; empty cells are empty texts, never null.
        lines: number of the line that each row begins on, shape ``(rows,)``.
    """

    table: pa.Table
    lines: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a table is written, and what is wanted of it.

    Attributes:
        needed: columns without which the table is of no use.
        optional: columns that are given where the table has them.
        coded: those of few different values: they come dictionary-encoded.
        delimiter, quoted, aliases, comment, what: see `kg.readers.tabular.read_table`.
        columns: names, for tables without a header line.
        block: bytes that are read at once, 0 for `BLOCK`; smaller ones take less memory and somewhat more time.
    """

    needed: Sequence[str]
    optional: Sequence[str] = ()
    coded: Collection[str] = ()
    delimiter: str = ","
    quoted: bool = True
    aliases: Mapping[str, str] = field(default_factory=dict)
    comment: str = ""
    what: str = ""
    columns: Sequence[str] = ()
    block: int = 0


def read_chunks(source: Path | Entry, layout: Layout) -> Iterator[Chunk | Reject]:
    """Yield a table's rows in pieces, and the rows that cannot be read as rejects.

    The next piece is read while the caller works on this one.

    Raises:
        InputError: where the file cannot be read, is empty, or lacks a needed column.
    """
    with open_binary(source) as file, ThreadPoolExecutor(1) as worker:
        pieces = _pieces(file, layout.quoted, layout.block or BLOCK)
        names, pieces = _header(pieces, source, layout)
        parser = _Parser(layout, names)

        def step() -> list[Chunk | Reject] | None:
            piece = next(pieces, None)
            return None if piece is None else list(parser.parse(*piece))

        coming = worker.submit(step)
        while (found := coming.result()) is not None:
            coming = worker.submit(step)
            yield from found


def _header(pieces: Iterator[Piece], source: Path | Entry, layout: Layout) -> tuple[list[str], Iterator[Piece]]:
    """Read the header line; give the columns' names and what follows it."""
    if layout.columns:
        return list(layout.columns), pieces
    for line, block in pieces:
        while block:
            if isinstance(block, Damaged):
                raise InputError(f"line {line}: {block.reason}", where=str(source), remedy=hint(layout.what))
            head, _, block = block.partition(b"\n")
            text = decoded(head)[0]
            if isinstance(text, Damaged):
                raise InputError(f"line {line}: {text.reason}", where=str(source), remedy=hint(layout.what))
            line += 1
            if not text.strip() or (layout.comment and text.startswith(layout.comment)):
                continue
            cells = next(records([(line, text)], layout.delimiter, layout.quoted, ""))[1]
            if isinstance(cells, Reject):
                raise InputError(f"header line: {cells.reason}", where=str(source), remedy=hint(layout.what))
            names = [layout.aliases.get(cell.strip().lower(), cell.strip()) for cell in cells]
            check_header(names, layout.needed, source, layout.what)
            return names, chain([(line, block)] if block else [], pieces)
    raise InputError("no header line, the file is empty", where=str(source), remedy=hint(layout.what))


def _pieces(file: BinaryIO, quoted: bool, block: int) -> Iterator[Piece]:
    line, rest, skipping = 1, b"", False
    too_long = Damaged(f"line longer than {LONGEST_LINE >> 20} MiB")
    start = True
    while data := file.read(block):
        if start:
            data, start = data.removeprefix(_BOM), False
        if skipping:
            _, newline, data = data.partition(b"\n")
            if not newline:
                continue
            yield line, too_long
            line, skipping = line + 1, False
        data = rest + data if rest else data
        end = _whole(data) if quoted else data.rfind(b"\n") + 1
        if not end and len(data) > LONGEST_LINE:
            end = data.rfind(b"\n") + 1
        whole, rest = data[:end], data[end:]
        if whole:
            yield line, whole
            line += whole.count(b"\n")
        elif len(rest) > LONGEST_LINE:
            rest, skipping = b"", True
    if skipping:
        yield line, too_long
    elif rest:
        yield line, rest if rest.endswith(b"\n") else rest + b"\n"


def _whole(data: bytes) -> int:
    """Give where the last whole record among some lines ends.

    A value in quotes may hold line ends: behind an uneven number of quotes a record is still open, and the cut is made
    before it (0 where the first one is open), unless that is further back than a line may be long.
    """
    end = cut = data.rfind(b"\n") + 1
    open_ = data.count(b'"', 0, cut) % 2
    while open_ and cut and end - cut < LONGEST_LINE:
        before = data.rfind(b"\n", 0, data.rfind(b'"', 0, cut)) + 1
        open_ ^= data.count(b'"', before, cut) % 2
        cut = before
    return end if open_ else cut


class _Parser:
    def __init__(self, layout: Layout, names: Sequence[str]) -> None:
        self.layout, self.width = layout, len(names)
        place = {name: i for i, name in reversed(list(enumerate(names)))}  # of two equal names the first counts
        self.wanted = {name: place[name] for name in (*layout.needed, *layout.optional) if name in place}
        coded, plain = pa.dictionary(pa.int32(), pa.string()), pa.string()
        types = {name: coded if name in layout.coded else plain for name in self.wanted}
        self.schema = pa.schema(list(types.items()))
        self.convert = csv.ConvertOptions(
            column_types={str(self.wanted[name]): type_ for name, type_ in types.items()},
            include_columns=[str(i) for i in self.wanted.values()],
            check_utf8=False,  # the whole piece is checked at once
        )
        self._with_end = csv.ConvertOptions(
            column_types={**self.convert.column_types, str(self.width): plain},
            include_columns=[*self.convert.include_columns, str(self.width)],
            check_utf8=False,
        )

    def parse(self, line: int, block: bytes | Damaged) -> Iterator[Chunk | Reject]:
        if isinstance(block, Damaged):
            yield Reject(f"line {line}", block.reason)
            return
        fast = self._fast(line, block)
        if fast is not None:
            yield from fast
            return
        middle = _whole(block[: len(block) // 2]) if self.layout.quoted else block.rfind(b"\n", 0, len(block) // 2) + 1
        if len(block) <= _SMALL or not middle:
            yield from self._slow(line, block)
            return
        yield from self.parse(line, block[:middle])
        yield from self.parse(line + block.count(b"\n", 0, middle), block[middle:])

    def _fast(self, line: int, block: bytes) -> list[Chunk | Reject] | None:
        """Read a piece with Arrow; None where that does not tell what stands on which line."""
        skipped: list[tuple[int, int]] = []
        layout = self.layout
        if b"\r" in block and block.count(b"\r") != block.count(b"\r\n"):
            return None  # Arrow takes a carriage return amid a line as its end
        comment = layout.comment.encode()
        if comment and (block.startswith(comment) or b"\n" + comment in block):
            return None
        # Where the first line ends in a delimiter, as in RRF, all are expected to: they have one empty cell more.
        first = block.partition(b"\n")[0].removesuffix(b"\r")
        end = first.endswith(layout.delimiter.encode()) and first.count(layout.delimiter.encode()) == self.width
        end = end and not layout.quoted

        def skip(row: Any) -> str:
            if row.actual_columns in (self.width, self.width + 1) or not row.text.strip():
                return "error"  # with and without a delimiter at the end is right, the other way than expected too
            skipped.append((row.number - 1, row.actual_columns))
            return "skip"

        try:
            pa.array([block], pa.large_binary()).cast(pa.large_string())  # refuses what is no UTF-8
            table = csv.read_csv(
                pa.py_buffer(block),
                read_options=csv.ReadOptions(
                    column_names=[str(i) for i in range(self.width + end)],
                    block_size=max(len(block), 1024),
                    use_threads=False,
                ),
                parse_options=csv.ParseOptions(
                    delimiter=layout.delimiter,
                    quote_char='"' if layout.quoted else False,
                    invalid_row_handler=skip,
                ),
                convert_options=self._with_end if end else self.convert,
            )
        except pa.ArrowInvalid:
            return None
        if end:
            table, last = table.select(range(len(self.wanted))), table.column(len(self.wanted))
            if compute.max(compute.binary_length(last)).as_py():
                return None
        rows = block.count(b"\n")
        if table.num_rows + len(skipped) != rows or _widest(table) > LONGEST_LINE:
            return None
        rejects: list[Chunk | Reject] = [self._width(line + row, columns) for row, columns in skipped]
        lines = np.delete(np.arange(line, line + rows), [row for row, _ in skipped])
        return [*rejects, Chunk(table.rename_columns(list(self.wanted)), lines)] if len(lines) else rejects

    def _slow(self, line: int, block: bytes) -> Iterator[Chunk | Reject]:
        columns: list[list[str]] = [[] for _ in self.wanted]
        lines = []
        for number, cells in records(
            _numbered(line, block), self.layout.delimiter, self.layout.quoted, self.layout.comment
        ):
            if isinstance(cells, Reject):
                yield cells
            elif len(cells) == self.width or (len(cells) == self.width + 1 and not cells[-1].strip()):
                lines.append(number)
                for column, place in zip(columns, self.wanted.values(), strict=True):
                    column.append(cells[place])
            else:
                yield self._width(number, len(cells))
        if lines:
            arrays = [pa.array(c, pa.string()).cast(t) for c, t in zip(columns, self.schema.types, strict=True)]
            yield Chunk(pa.table(arrays, schema=self.schema), np.array(lines, dtype=np.int64))

    def _width(self, line: int, columns: int) -> Reject:
        return Reject(f"line {line}", f"{columns} columns, expected {self.width}")


def _numbered(line: int, block: bytes) -> Iterator[tuple[int, str | Damaged]]:
    for number, text in enumerate(decoded(block.removesuffix(b"\n")), line):
        if not isinstance(text, Damaged) and len(text) > LONGEST_LINE:
            yield number, Damaged(f"line longer than {LONGEST_LINE >> 20} MiB")
        else:
            yield number, text


def _widest(table: pa.Table) -> int:
    """Give the bytes of the widest cell."""
    widest = 0
    for column in table.columns:
        for chunk in column.chunks:
            texts = chunk.dictionary if pa.types.is_dictionary(chunk.type) else chunk
            widest = max(widest, compute.max(compute.binary_length(texts)).as_py() or 0)
    return widest

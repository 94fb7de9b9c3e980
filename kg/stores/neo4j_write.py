"""Writing rows into Neo4j: transactions of some megabytes, columns instead of rows, halved where memory is short.

The rows of a batch travel as one list a column (``$name[i]``): neither side makes a map for each row. A transaction
that failed for a passing reason (a deadlock, a server that starts again) is run again for some seconds; one whose
commit was not answered is not, so nothing is written twice.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence

import neo4j
import numpy as np
import polars as pl
from neo4j.exceptions import DriverError, Neo4jError

from ehr.errors import InputError, StoreError
from ehr.progress import say
from kg.stores.neo4j_errors import is_memory, one_line

BATCH_VARIABLE = "CLINRAGEN_NEO4J_BATCH"
BATCH_BYTES = 2_000_000
RETRY_SECONDS = 30.0
"""For so long a transaction is run again that failed for a passing reason."""
_MOST_ROWS = 20_000
_ELEMENTS = 10_000
_VALUE_BYTES = 9
_UNITS = {"": 1, "k": 1_000, "m": 1_000_000}


class _TooLarge(Exception):  # noqa: N818  (caught here)
    """A transaction wanted more memory than it may have; raised instead of what the driver would run again."""


def batch_bytes() -> int:
    """Give the size of a transaction's rows in bytes: `BATCH_BYTES`, or what ``CLINRAGEN_NEO4J_BATCH`` says.

    Raises:
        InputError: where that is no size like ``500k`` or ``8m``.
    """
    text = os.environ.get(BATCH_VARIABLE, "")
    if not text:
        return BATCH_BYTES
    found = re.fullmatch(r"([1-9][0-9]{0,9})([kKmM]?)", text.strip())
    if found is None:
        raise InputError(f"{BATCH_VARIABLE} is {text!r:.40}, expected a size like 500k or 8m")
    return int(found[1]) * _UNITS[found[2].lower()]


def row_bytes(rows: pl.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Estimate what each row takes as a message to the server, in bytes."""
    sizes = [pl.lit(_VALUE_BYTES * len(rows.columns))]
    for name, kind in rows.schema.items():
        if kind == pl.String:
            sizes.append(pl.col(name).str.len_bytes().fill_null(0))
        elif isinstance(kind, pl.List):
            texts = pl.col(name).list.eval(pl.element().str.len_bytes() + _VALUE_BYTES)
            sizes.append(texts.list.sum().fill_null(0))
    return rows.select(pl.sum_horizontal(sizes).cast(pl.Int64)).to_series().to_numpy()


class Writer:
    """Writes batches in one session.

    Attributes:
        size: bytes of rows a transaction; it shrinks where the server has not the memory for it.
    """

    def __init__(self, session: neo4j.Session, url: str) -> None:
        self.size = batch_bytes()
        self._session, self._url = session, url

    def write(self, statement: str, rows: pl.DataFrame, advance: Callable[[int], None]) -> None:
        """Run a statement that makes or changes one element a row.

        Args:
            statement: Cypher that takes ``$n`` rows, the columns as lists by name, and returns how many it wrote.
            rows: any number of them.
            advance: called with the number of rows of each transaction that was committed.

        Raises:
            InputError: where a single row is more than the server takes.
            StoreError: where fewer elements were made than there are rows.
        """
        ends = np.cumsum(row_bytes(rows))
        start = 0
        while start < rows.height:
            end = _end(ends, start, self.size)
            piece = rows.slice(start, end - start)
            try:
                done = self.run(statement, {"n": piece.height, **piece.to_dict(as_series=False)})
            except _TooLarge as error:
                self._shrink(piece, error)
                continue
            if done != piece.height:
                raise StoreError(f"{self._url}: Neo4j wrote {done} of {piece.height} rows; load again")
            start = end
            advance(piece.height)

    def delete(self, statement: str, elements: Sequence[str], advance: Callable[[int], None]) -> int:
        """Run a statement on ``$elements``, some at a time, and give the sum of the numbers it returns."""
        waiting = [list(elements[start : start + _ELEMENTS]) for start in range(0, len(elements), _ELEMENTS)]
        total = 0
        while waiting:
            piece = waiting.pop()
            try:
                total += self.run(statement, {"elements": piece})
            except _TooLarge as error:
                if len(piece) == 1:
                    raise self._nothing_fits("deleting a single element", error) from error
                waiting += [piece[: len(piece) // 2], piece[len(piece) // 2 :]]
                continue
            advance(len(piece))
        return total

    def run(self, statement: str, values: dict[str, object]) -> int:
        """Run a statement that returns one number, in a transaction of its own, and give the number.

        Memory can run short at the commit too, where the driver's own loop would try again in vain: hence this one.
        """
        until, pause = time.monotonic() + RETRY_SECONDS, 0.5
        while True:
            try:
                with self._session.begin_transaction() as transaction:
                    number = int(transaction.run(statement, values).single(strict=True)[0])
                    transaction.commit()
                    return number
            except (Neo4jError, DriverError) as error:
                if isinstance(error, Neo4jError) and is_memory(error):
                    raise _TooLarge(one_line(error)) from error
                if not error.is_retryable() or time.monotonic() + pause > until:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, 8.0)

    def _shrink(self, piece: pl.DataFrame, error: _TooLarge) -> None:
        size = int(row_bytes(piece).sum())
        if piece.height == 1:
            raise self._nothing_fits(f"a single row of {size} bytes", error) from error
        self.size = max(1, size // 2)
        say(f"Neo4j has not the memory for {size} bytes of rows at once; going on with {self.size}")

    def _nothing_fits(self, what: str, error: _TooLarge) -> InputError:
        return InputError(
            f"{what} needs more memory than a transaction may have ({error})",
            where=self._url,
            remedy="raise db.memory.transaction.max or dbms.memory.transaction.total.max in neo4j.conf; "
            "what was loaded stays",
        )


def _end(ends: np.ndarray[tuple[int], np.dtype[np.int64]], start: int, most: int) -> int:
    """Give where a batch ends that begins at ``start`` and stays below ``most`` bytes, if more than one row does."""
    before = int(ends[start - 1]) if start else 0
    end = int(np.searchsorted(ends, before + most, side="right"))
    return min(max(end, start + 1), start + _MOST_ROWS, len(ends))

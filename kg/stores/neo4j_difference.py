"""What a Neo4j database lacks of a bundle's rows, and what it has too much, found without holding either.

Every row has a fingerprint of 64 bits over all its columns, kept as ``_content``. Those of one table are held as
sorted numbers (8 bytes a row), the server's are streamed past them, and what must go is noted in a file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Self

import neo4j
import numpy as np
import polars as pl

from kg.content import row_text
from kg.duck import connect

CONTENT = "_content"
_CHUNK = 20_000

Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]
Truths = np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one label or relationship type.

    Attributes:
        kind: label of nodes or type of relationships.
        relations: whether they are relationships.
        batches: gives the rows, from the beginning at every call.
        rows: their number.
    """

    kind: str
    relations: bool
    batches: Callable[[], Iterator[pl.DataFrame]]
    rows: int

    @property
    def pattern(self) -> str:
        """Cypher that matches the elements as ``n``."""
        return f"(:Concept)-[n:{self.kind}]->(:Concept)" if self.relations else f"(n:{self.kind})"


def fingerprints(rows: pl.DataFrame) -> Numbers:
    """Give the lower half of the MD5 of each row, the same on every machine and in every version."""
    with connect("200MB") as connection:
        connection.execute("SET threads = 1")  # the order of the rows is that of the numbers
        connection.register("rows", rows.to_arrow())
        text = f"SELECT md5_number_lower({row_text(rows.schema)}) AS number FROM rows"  # noqa: S608  (our columns)
        found = connection.execute(text).fetchnumpy()
    return np.asarray(found["number"], dtype=np.uint64).view(np.int64)


def with_fingerprints(rows: pl.DataFrame) -> pl.DataFrame:
    """Add the column ``_content``."""
    return rows.with_columns(pl.Series(CONTENT, fingerprints(rows), dtype=pl.Int64))


class Noted:
    """Ids of elements, in a file that goes away of itself."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115  (closed with this object)
        self.number = 0

    def add(self, elements: Sequence[str]) -> None:
        """Note some more."""
        self._file.writelines(f"{one}\n" for one in elements)
        self.number += len(elements)

    def batches(self, size: int = _CHUNK) -> Iterator[list[str]]:
        """Give all that were noted."""
        self._file.seek(0)
        while batch := [line.rstrip("\n") for line in islice(self._file, size)]:
            yield batch

    def __enter__(self) -> Self:
        """Give the object itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Forget everything."""
        self._file.close()


@dataclass(frozen=True, slots=True)
class Difference:
    """How a table of the database differs from the bundle's.

    Attributes:
        wanted: fingerprints of the bundle's rows, sorted.
        found: which of them the database holds.
        stale: elements that it holds and that the bundle does not have (or that stand twice).
    """

    wanted: Numbers
    found: Truths
    stale: Noted

    @property
    def lacking(self) -> int:
        """Number of rows to write."""
        return len(self.found) - int(self.found.sum())

    def lacks(self, contents: Numbers) -> Truths:
        """Say of some of the bundle's rows which are to be written."""
        lacks: Truths = ~self.found[np.searchsorted(self.wanted, contents)]
        return lacks


def compare(session: neo4j.Session, part: Part, stale: Noted) -> Difference:
    """Read the database's fingerprints and compare them with the bundle's.

    A concept whose content changed is not stale: it is changed in place, so that what refers to it stays.
    """
    concepts = part.kind == "Concept"
    frames = ((fingerprints(rows), fingerprints(rows.select("id")) if concepts else None) for rows in part.batches())
    pairs = [*frames]
    wanted = _sorted([one for one, _ in pairs])
    ids = _sorted([one for _, one in pairs if one is not None])
    difference = Difference(wanted, np.zeros(len(wanted), dtype=np.bool_), stale)
    text = f"MATCH {part.pattern} RETURN n.{CONTENT}, elementId(n){', n.id' if concepts else ''}"
    result = session.run(text)
    while chunk := result.fetch(_CHUNK):
        old = _pass(difference, [row[0] for row in chunk])
        if concepts and len(old):
            names = pl.DataFrame({"id": [str(chunk[n][2]) for n in old]}, schema={"id": pl.String})
            old = old[~_among(ids, fingerprints(names))[1]]
        stale.add([chunk[n][1] for n in old])
    return difference


def _sorted(parts: Sequence[Numbers]) -> Numbers:
    return np.unique(np.concatenate(parts)) if parts else np.empty(0, dtype=np.int64)


def _among(numbers: Numbers, asked: Numbers) -> tuple[Numbers, Truths]:
    """Give for each number asked for its place among sorted ones, and whether it is there."""
    if not len(numbers):
        return np.zeros(len(asked), dtype=np.int64), np.zeros(len(asked), dtype=np.bool_)
    places = np.minimum(np.searchsorted(numbers, asked), len(numbers) - 1)
    return places, numbers[places] == asked


def _pass(difference: Difference, contents: Sequence[object]) -> Numbers:
    """Mark what is there, and give the places in ``contents`` of all that is stale."""
    known = np.fromiter((type(one) is int for one in contents), dtype=np.bool_, count=len(contents))
    numbers = np.fromiter((one if type(one) is int else 0 for one in contents), dtype=np.int64, count=len(contents))
    places, there = _among(difference.wanted, numbers)
    current = np.flatnonzero(there & known & ~(difference.found[places] if len(difference.found) else False))
    _, first = np.unique(places[current], return_index=True)
    current = current[first]
    difference.found[places[current]] = True
    stale = np.ones(len(contents), dtype=np.bool_)
    stale[current] = False
    return np.flatnonzero(stale)

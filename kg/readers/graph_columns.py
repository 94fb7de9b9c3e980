"""Nodes and statements of a graph whose edge table is read in pieces of columns: nothing is an object a row.

Nodes are numbered as they come (`Nodes`), pieces of the edge table are arrays of these numbers, and `facts` turns them
into the columns of a `Batch`. `Seen` makes sure that an edge that a file lists in both directions is stated once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
from pyarrow import compute

from ehr.errors import InputError
from kg.vocabulary import Predicate

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

MOST_NODES = 1 << 24
MOST_KINDS = 1 << 16
_SEPARATOR = "\x1f"


@dataclass(frozen=True, slots=True)
class Kind:
    """What the edges of one kind state; equal kinds are one."""

    predicate: Predicate
    negated: bool = False
    note: str = ""


@dataclass(slots=True)
class Kinds:
    """Numbers of the kinds of edges met so far."""

    _numbers: dict[Kind, int] = field(default_factory=dict)

    def number(self, kind: Kind) -> int:
        """Give a kind's number.

        Raises:
            InputError: beyond `MOST_KINDS`: what says so many different things is no table of relations.
        """
        if kind not in self._numbers and len(self._numbers) >= MOST_KINDS:
            raise InputError(f"more than {MOST_KINDS:,} kinds of relation", remedy="is the column of relations right?")
        return self._numbers.setdefault(kind, len(self._numbers))

    def columns(self) -> dict[str, pl.Series]:
        """Give what each number stands for, as columns of a `Batch` of facts."""
        kinds = list(self._numbers)
        return {
            "predicate": pl.Series([k.predicate.value for k in kinds], dtype=pl.String),
            "negated": pl.Series([k.negated for k in kinds], dtype=pl.Boolean),
            "note": pl.Series([k.note for k in kinds], dtype=pl.String),
        }


@dataclass(slots=True)
class Nodes:
    """The nodes met so far: for each its id in the graph and as the file writes it; an unusable one has no id."""

    _numbers: dict[str, int] = field(default_factory=dict)
    _ids: pl.Series = field(default_factory=lambda: pl.Series(dtype=pl.String))
    _written: pl.Series = field(default_factory=lambda: pl.Series(dtype=pl.String))
    _usable: Flags = field(default_factory=lambda: np.empty(0, dtype=np.bool_))

    def __len__(self) -> int:
        return len(self._numbers)

    def find(self, keys: Sequence[str]) -> list[int | None]:
        """Give the nodes' numbers, None for those that are not known yet."""
        return list(map(self._numbers.get, keys))

    def add(self, keys: Sequence[str], ids: Sequence[str], written: Sequence[str]) -> None:
        """Take new nodes.

        Raises:
            InputError: beyond `MOST_NODES`.
        """
        if len(self._numbers) + len(keys) > MOST_NODES:
            raise InputError(f"more than {MOST_NODES:,} nodes", remedy="is the column of ids right?")
        self._numbers.update(zip(keys, range(len(self._numbers), len(self._numbers) + len(keys)), strict=True))
        self._ids = pl.concat([self._ids, pl.Series(ids, dtype=pl.String)], rechunk=True)
        self._written = pl.concat([self._written, pl.Series(written, dtype=pl.String)], rechunk=True)
        self._usable = np.concatenate([self._usable, np.array([bool(i) for i in ids], dtype=np.bool_)])

    def usable(self, numbers: Numbers) -> Flags:
        """Say which of these nodes have an id."""
        found: Flags = self._usable[numbers]
        return found

    def ids(self, numbers: Numbers) -> pl.Series:
        """Give the ids of these nodes."""
        return self._ids.gather(pl.Series(numbers))

    def written(self, numbers: Numbers) -> pl.Series:
        """Give how the file writes these nodes."""
        return self._written.gather(pl.Series(numbers))

    def smaller_first(self, x: Numbers, y: Numbers) -> Flags:
        """Say for which pairs the id of ``x`` is not behind that of ``y``."""
        ordered: Flags = (self.ids(x) <= self.ids(y)).to_numpy()
        return ordered


@dataclass(slots=True)
class Seen:
    """Statements given so far, eight bytes each, and those that are kept back until it is known that none gave them."""

    _given: list[npt.NDArray[np.uint64]] = field(default_factory=list)
    _held: list[npt.NDArray[np.uint64]] = field(default_factory=list)

    @staticmethod
    def _pack(kind: Numbers, subject: Numbers, object_: Numbers) -> npt.NDArray[np.uint64]:
        packed = (kind << 48) | (subject << 24) | object_
        return packed.astype(np.uint64)

    def give(self, kind: Numbers, subject: Numbers, object_: Numbers) -> None:
        """Note statements that are given now."""
        self._given.append(self._pack(kind, subject, object_))

    def hold(self, kind: Numbers, subject: Numbers, object_: Numbers) -> None:
        """Keep statements back."""
        self._held.append(self._pack(kind, subject, object_))

    def left(self) -> tuple[Numbers, Numbers, Numbers]:
        """Give kinds, subjects and objects of the statements that were kept back and never given, each once."""
        held, given = _sorted(self._held), _sorted(self._given)
        held = held[np.concatenate([[True], held[1:] != held[:-1]])] if len(held) else held
        if len(given):
            place = np.minimum(np.searchsorted(given, held), len(given) - 1)
            held = held[given[place] != held]
        mask = np.uint64(MOST_NODES - 1)
        return (
            (held >> np.uint64(48)).astype(np.int64),
            ((held >> np.uint64(24)) & mask).astype(np.int64),
            (held & mask).astype(np.int64),
        )


def _sorted(parts: list[npt.NDArray[np.uint64]]) -> npt.NDArray[np.uint64]:
    """Give all of them in order, and empty the list."""
    whole = np.concatenate(parts) if parts else np.empty(0, dtype=np.uint64)
    parts.clear()
    whole.sort()
    return whole


def facts(
    nodes: Nodes, kinds: Kinds, kind: Numbers, subject: Numbers, object_: Numbers, *, as_written: bool = True
) -> pl.DataFrame:
    """Give statements as the columns of a `Batch` of facts."""
    place = pl.Series(kind)
    columns: Mapping[str, pl.Series] = {name: c.gather(place) for name, c in kinds.columns().items()}
    written = {"subject_as_written": nodes.written(subject), "object_as_written": nodes.written(object_)}
    return pl.DataFrame(
        {"subject": nodes.ids(subject), "object": nodes.ids(object_), **columns, **(written if as_written else {})}
    )


def coded(column: pa.ChunkedArray) -> tuple[Numbers, pa.Array]:
    """Give a dictionary-encoded column as codes and the values that they stand for."""
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0)
    return array.indices.to_numpy(zero_copy_only=False).astype(np.int64), array.dictionary


def distinct(columns: Sequence[tuple[Numbers, pa.Array]]) -> tuple[Numbers, list[Numbers], Numbers]:
    """Find the different combinations among some coded columns.

    Returns:
        for each row the number of its combination; for each column the codes of the combinations; for each combination
        a row that has it (the first).
    """
    code = columns[0][0]
    sizes = [max(len(values), 1) for _, values in columns]
    for (codes, _), size in zip(columns[1:], sizes[1:], strict=True):
        code = code * size + codes
    space = int(np.prod(np.array(sizes, dtype=np.float64)))
    if space <= max(4 * len(code), 1 << 16):
        place = np.full(space, -1, dtype=np.int64)
        place[code[::-1]] = np.arange(len(code) - 1, -1, -1)
        present = np.flatnonzero(place >= 0)
        first = place[present]
        place[present] = np.arange(len(present))
        number = place[code]
    else:
        present, first, number = np.unique(code, return_index=True, return_inverse=True)
    parts: list[Numbers] = []
    left = present
    for size in reversed(sizes):
        parts.append(left % size)
        left = left // size
    return number, parts[::-1], first


def joined(columns: Sequence[tuple[Numbers, pa.Array]], parts: Sequence[Numbers]) -> list[str]:
    """Give a text for each combination of `distinct`, the same for equal values whatever their codes."""
    taken = [values.take(pa.array(part)) for (_, values), part in zip(columns, parts, strict=True)]
    texts: list[str] = compute.binary_join_element_wise(*taken, _SEPARATOR).to_pylist()
    return texts

"""Numbers of the concepts in play, and columns that grow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kg.retrieve.snapshot import ranges


class Growing:
    """A column that grows at its end; its capacity doubles, so that growing costs no more than its length."""

    def __init__(self, dtype: Any) -> None:
        """Begin empty."""
        self._held: NDArray[Any] = np.empty(1024, dtype=dtype)
        self._size = 0

    def __len__(self) -> int:
        """Give the number of entries."""
        return self._size

    def extend(self, values: Sequence[Any] | NDArray[Any]) -> None:
        """Append values."""
        size = self._size + len(values)
        if size > len(self._held):
            wider = np.empty(max(size, 2 * len(self._held)), dtype=self._held.dtype)
            wider[: self._size] = self.values
            self._held = wider
        self._held[self._size : size] = values
        self._size = size

    @property
    def values(self) -> NDArray[Any]:
        """The entries; a view that is valid until the column grows."""
        return self._held[: self._size]


class Roster:
    """Numbers concepts as they come into play, so that arrays over patients and concepts stay narrow.

    A graph has many thousand walked concepts, a cohort's subgraphs some hundred to a few thousand.
    """

    def __init__(self, size: int, first: NDArray[np.int64]) -> None:
        """Begin with some concepts.

        Args:
            size: the number of concepts, ``n``.
            first: concepts that get the first numbers, in this order.
        """
        self.at: NDArray[np.int32] = np.full(size, -1, dtype=np.int32)
        self._places = Growing(np.int64)
        self.add(first)

    def __len__(self) -> int:
        """Give how many concepts have a number."""
        return len(self._places)

    @property
    def places(self) -> NDArray[np.int64]:
        """The concepts by number."""
        return self._places.values

    def add(self, places: Sequence[int] | NDArray[Any]) -> NDArray[np.int32]:
        """Give the numbers of concepts; those without one get one."""
        wanted = np.asarray(places, dtype=np.int64)
        numbers: NDArray[np.int32] = self.at[wanted]
        if len(numbers) and numbers.min() < 0:
            new = np.array(list(dict.fromkeys(wanted[numbers < 0].tolist())), dtype=np.int64)
            self.at[new] = np.arange(len(self._places), len(self._places) + len(new))
            self._places.extend(new)
            numbers = self.at[wanted]
        return numbers


class Labels:
    """Numbers texts as they come."""

    def __init__(self) -> None:
        """Begin empty."""
        self.texts: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        """Give the number of a text; a new one gets the next."""
        found = self._numbers.setdefault(text, len(self.texts))
        if found == len(self.texts):
            self.texts.append(text)
        return found


class Ragged:
    """Rows of different length that are added one after the other."""

    def __init__(self) -> None:
        """Begin without rows."""
        self.values, self.pointers = Growing(np.int64), Growing(np.int64)
        self.pointers.extend([0])

    def __len__(self) -> int:
        """Give the number of rows."""
        return len(self.pointers) - 1

    def append(self, row: Sequence[int]) -> None:
        """Add a row."""
        self.values.extend(row)
        self.pointers.extend([len(self.values)])

    def lengths(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give how long rows are."""
        pointers = self.pointers.values
        found: NDArray[np.int64] = pointers[rows + 1] - pointers[rows]
        return found

    def of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the values of rows, one row after the other."""
        found: NDArray[np.int64] = self.values.values[ranges(self.pointers.values, rows)]
        return found

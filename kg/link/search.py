"""Names in a row of words: Aho-Corasick, in which every word is a code of two characters.

With codes instead of letters the automaton is a fraction of the size, quick to build and to walk. First and second
characters differ, so a match can begin and end only with whole words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ahocorasick
import numpy as np
import polars as pl

_PLACES = 2
_UNKNOWN = "\0" * _PLACES


class NameSearch:
    """Finds every phrase of a list; made once, used for any number of texts."""

    def __init__(self, phrases: Sequence[str]) -> None:
        rows = pl.Series(phrases, dtype=pl.String).str.split(" ")
        words = rows.explode()
        vocabulary = words.unique(maintain_order=True)
        numbers = np.arange(len(vocabulary))
        # A node's children are searched one by one: the root, where most words fail, gets the fewest.
        base = int(np.ceil(np.sqrt(len(vocabulary)) / 2)) or 1
        digits = np.stack((1 + numbers % base, 1 + base + numbers // base), axis=1)
        self._codes: dict[str, str] = dict(
            zip(vocabulary.to_list(), _cut(_characters(digits), [1] * len(numbers)), strict=True)
        )
        self._vocabulary = vocabulary
        self._sizes: list[int] = rows.list.len().to_list()
        self._automaton: Any = ahocorasick.Automaton(ahocorasick.STORE_INTS)
        self._automaton.add_word(_UNKNOWN + chr(1 + base), -1)  # never found; makes unknown words the quickest
        self._order = order = words.cast(pl.Enum(vocabulary)).to_physical().cast(pl.Int64).to_numpy()
        for number, code in enumerate(_cut(_characters(digits[order]), self._sizes)):
            self._automaton.add_word(code, number)
        if self._sizes:
            self._automaton.make_automaton()

    def vocabulary(self, count: int) -> frozenset[str]:
        """Give all words of the first ``count`` phrases."""
        words = self._order[: sum(self._sizes[:count])]  # numbered as they come
        return frozenset(self._vocabulary.head(int(words.max(initial=-1)) + 1).to_list())

    def code(self, word: str) -> str:
        """Give a word's code, that of no word where no phrase has it."""
        return self._codes.get(word, _UNKNOWN)

    def find(self, codes: str) -> list[tuple[int, int, int]]:
        """Give the phrases in a row of words, overlapping ones too: number in the list, first and last word.

        Args:
            codes: the words' codes, one after the other.
        """
        sizes = self._sizes
        if not sizes:
            return []
        found = [(number, end // _PLACES) for end, number in self._automaton.iter(codes)]
        return [(number, last - sizes[number] + 1, last) for number, last in found]


def _characters(points: np.ndarray[Any, Any]) -> str:
    raw: bytes = points.astype("<u4").tobytes()
    return raw.decode("utf-32-le")


def _cut(codes: str, sizes: Sequence[int]) -> list[str]:
    """Cut a row of codes into pieces of so many words each."""
    ends = (np.cumsum(sizes, dtype=np.int64) * _PLACES).tolist()
    return [codes[end - size * _PLACES : end] for end, size in zip(ends, sizes, strict=True)]

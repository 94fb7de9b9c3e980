"""Names in a row of words: Aho-Corasick, in which every word is a code of a few characters.

With codes instead of letters the automaton is a fraction of the size, quick to build and to walk. The characters of a
code differ by place, so a match can begin and end only with whole words.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import ahocorasick

_PLACES = 3


class NameSearch:
    """Finds every phrase of a list; made once, used for any number of texts."""

    def __init__(self, phrases: Iterable[str]) -> None:
        rows = [phrase.split(" ") for phrase in phrases]
        vocabulary = dict.fromkeys(word for row in rows for word in row)
        base = 1
        while base**_PLACES < len(vocabulary):
            base += 1
        digits = [[chr(1 + place * base + digit) for digit in range(base)] for place in range(_PLACES)]
        codes = (a + b + c for a in digits[0] for b in digits[1] for c in digits[2])
        self._codes = dict(zip(vocabulary, codes, strict=False))
        self._sizes = [len(row) for row in rows]
        self._automaton: Any = ahocorasick.Automaton(ahocorasick.STORE_INTS)
        code = self._codes.__getitem__
        for number, row in enumerate(rows):
            self._automaton.add_word("".join(map(code, row)), number)
        if rows:
            self._automaton.make_automaton()

    def code(self, word: str) -> str:
        """Give a word's code, that of no word where no phrase has it."""
        return self._codes.get(word, "\0" * _PLACES)

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

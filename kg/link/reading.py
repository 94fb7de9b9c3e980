"""A text as the linker reads it: misspellings mended, and every word marked with what may begin there.

What is known of a word is looked up once and kept; the searches then go over the marks, one byte a word, by regular
expressions and look closely only where something may be.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress

from kg.link.search import NameSearch
from kg.link.words import Words

PHRASE, KNOWN, GAP, WITH, BARE, CLOSER, NON, MENDED = (1 << bit for bit in range(8))
"""Marks: may begin a phrase of the lists; part of a finding; may stand between parts; the same after "trouble"; a
finding by itself; a measurement or abbreviation; "non"; was misspelt."""
INSIDE = GAP | BARE
"""In place of a mark: belongs to the phrase before. No word is both."""
_MOST_WORDS = 200_000


def marked(*marks: int) -> bytes:
    """Give a character class of a regular expression: all bytes with one of the marks."""
    wanted = sum(marks)
    found = (bytes((value,)) for value in range(256) if value & wanted and value & INSIDE != INSIDE)
    return b"[" + b"".join(map(re.escape, found)) + b"]"


_RARE = re.compile(marked(NON, MENDED))
_CLOSER = re.compile(marked(CLOSER))


@dataclass(frozen=True, slots=True)
class Reading:
    """A text, read.

    Attributes:
        words: its tokens.
        normal: each token's normal form, misspellings mended.
        said: those of them that count, barriers (``|``) included; "non" is one word with the next.
        places: the token of each word in ``said``.
        marks: one byte for each word in ``said``.
        codes: their codes for the search of names; its words differ from ``said`` only where a text says "non".
        firsts, lasts: the tokens of the words that ``codes`` stands for.
        closer: tokens that may begin a measurement or an abbreviation.
    """

    words: Words
    normal: Sequence[str]
    said: list[str]
    places: list[int]
    marks: bytes
    codes: str
    firsts: list[int]
    lasts: list[int]
    closer: list[int]


class _Marks(dict[str, int]):
    """What is known of each normal form; also keeps the words as mended and their codes."""

    def __init__(
        self, mend: Callable[[str], str], mark: Callable[[str], int], search: NameSearch, short: frozenset[str]
    ):
        super().__init__()
        self.mended: dict[str, str] = {"": ""}
        self.codes: dict[str, str] = {}
        self._mend, self._mark, self._search, self._short = mend, mark, search, short

    def __missing__(self, word: str) -> int:
        said = self._mend(word)
        self.mended[word] = said
        self.codes[word] = self._search.code(said)
        mark = self._mark(said)
        if word in self._short:
            mark |= CLOSER
        if said == "non":
            mark |= NON
        elif said != word:
            mark |= MENDED
        self[word] = mark
        return mark

    def forget(self) -> None:
        """Start anew where too many words are held."""
        if len(self) > _MOST_WORDS:
            self.clear()
            self.mended = {"": ""}
            self.codes.clear()


class Reader:
    """Reads texts for one bundle's names."""

    def __init__(
        self, mend: Callable[[str], str], mark: Callable[[str], int], search: NameSearch, short: frozenset[str]
    ) -> None:
        """Make a reader.

        Args:
            mend: gives a normal form without its misspelling.
            mark: gives the marks of a word.
            search: the names.
            short: normal forms of the abbreviations.
        """
        self._marks = _Marks(mend, mark, search, short)
        self._mark = mark
        self._search = search

    def read(self, words: Words) -> Reading:
        """Read a text."""
        known = self._marks
        known.forget()
        normal: list[str] = words.normal
        said = list(compress(normal, normal))
        places = list(compress(range(len(normal)), normal))
        marks = bytes(map(known.__getitem__, said))
        codes = "".join(map(known.codes.__getitem__, said))
        closer = [places[found.start()] for found in _CLOSER.finditer(marks)]
        if _RARE.search(marks) is None:
            return Reading(words, normal, said, places, marks, codes, places, places, closer)
        normal = list(map(known.mended.__getitem__, normal))
        said = list(map(known.mended.__getitem__, said))
        if "non" not in said:
            return Reading(words, normal, said, places, marks, codes, places, places, closer)
        codes, firsts, lasts = self._joined_codes(said, places)
        said, places = _joined(said, places)
        marks = bytes(map(self._mark, said))
        return Reading(words, normal, said, places, marks, codes, firsts, lasts, closer)

    def _joined_codes(self, said: Sequence[str], places: Sequence[int]) -> tuple[str, list[int], list[int]]:
        """Give codes and tokens with "non" and the word after it as one (non-productive is nonproductive)."""
        codes: list[str] = []
        firsts: list[int] = []
        lasts: list[int] = []
        prefix, first = "", -1
        for word, place in zip(said, places, strict=True):
            if word == "non":
                first = first if prefix else place
                prefix += word
                continue
            codes.append(self._search.code(prefix + word))
            firsts.append(first if prefix else place)
            lasts.append(place)
            prefix = ""
        return "".join(codes), firsts, lasts


def _joined(said: Sequence[str], places: Sequence[int]) -> tuple[list[str], list[int]]:
    """Give the words with "non" put before the next one; a word's token is then the later one."""
    words: list[str] = []
    tokens: list[int] = []
    prefix = ""
    for word, place in zip(said, places, strict=True):
        if word == "non":
            prefix = word
            continue
        words.append(word if word == "|" else prefix + word)
        tokens.append(place)
        prefix = ""
    return words, tokens

"""Misspelt words: which one word of the names a word that stands nowhere is one edit away from."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

MIN_MISSPELT = 6
"""Shortest word that is taken for a misspelling of another."""
MAX_MISSPELT = 40
"""Longest one: no word is longer."""
_MIN_TARGET = 5
_OTHER = "\U0010ffff"  # is no letter


def one_edit_apart(left: str, right: str) -> bool:
    """Say whether one insertion, deletion, substitution or swap of neighbours makes one word of the other.

    >>> one_edit_apart("dyspena", "dyspnea"), one_edit_apart("cough", "couch"), one_edit_apart("abc", "cba")
    (True, True, False)
    """
    if left == right or abs(len(left) - len(right)) > 1:
        return False
    at = 0
    while at < min(len(left), len(right)) and left[at] == right[at]:
        at += 1
    a, b = left[at:], right[at:]
    if len(a) == len(b):
        swapped = len(a) > 1 and a[:2] == b[1::-1] and a[2:] == b[2:]
        return a[1:] == b[1:] or swapped
    return a[1:] == b if len(a) > len(b) else a == b[1:]


class _Table:
    """The words of one first letter by length, their letters as numbers, from both ends."""

    def __init__(self, words: list[str]) -> None:
        self._words = sorted(words, key=lambda word: (len(word), word))
        self._sizes = np.array([len(word) for word in self._words])
        width = int(self._sizes[-1]) + 2
        self._ahead = _letters(self._words, width)
        self._back = _letters([word[::-1] for word in self._words], width)

    def near(self, word: str) -> list[str]:
        """Give the words that agree with this one from both ends but for two letters or fewer."""
        size = len(word)
        low, high = np.searchsorted(self._sizes, (size - 1, size + 2))
        if low == high:
            return []
        ahead = _agree(self._ahead[low:high], word)
        back = _agree(self._back[low:high], word[::-1])
        return [self._words[low + at] for at in np.flatnonzero(ahead + back >= size - 2)]


def _letters(words: list[str], width: int) -> npt.NDArray[np.uint32]:
    """Give the code points, (words, width), 0 after a word's end."""
    return np.array(words, dtype=f"U{width}").view(np.uint32).reshape(len(words), width)


def _agree(letters: npt.NDArray[np.uint32], word: str) -> npt.NDArray[np.intp]:
    """Count the letters that each row has in common with a word from the beginning."""
    own = np.frombuffer((word + _OTHER).encode("utf-32-le"), "<u4")
    agreed: npt.NDArray[np.intp] = np.argmax(letters[:, : own.size] != own, axis=1)
    return agreed


class Speller:
    """Mends words that stand in no name and no definition and lie one edit from a word of a name.

    Tables are made when the first word of a letter is looked up: most notes need none.
    """

    def __init__(self, targets: Iterable[str], known: frozenset[str]) -> None:
        self._known = known
        self._targets = targets
        self._by_letter: dict[str, list[str]] | None = None
        self._tables: dict[str, _Table] = {}

    def mend(self, word: str) -> str:
        """Give the word meant, or the word itself where it is known, too short or where two words could be meant."""
        if not MIN_MISSPELT <= len(word) <= MAX_MISSPELT or word in self._known or not word.isalpha():
            return word
        table = self._table(word[0])
        if table is None:
            return word
        near = [target for target in table.near(word) if one_edit_apart(word, target)]
        if len(near) > 1:  # equal letters in another order are the likeliest slip
            near = [target for target in near if sorted(target) == sorted(word)] or near
        return near[0] if len(near) == 1 else word

    def _table(self, letter: str) -> _Table | None:
        """Give the table of a first letter, None where no word begins with it."""
        held = self._tables.get(letter)
        if held is not None:
            return held
        if self._by_letter is None:
            self._by_letter = {}
            for word in set(self._targets):
                if len(word) >= _MIN_TARGET and word.isalpha():
                    self._by_letter.setdefault(word[0], []).append(word)
        words = self._by_letter.get(letter)
        if words is None:
            return None
        self._tables[letter] = _Table(words)
        return self._tables[letter]

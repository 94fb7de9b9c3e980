"""Misspelt words: which one word of the names a word that stands nowhere is one edit away from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

MIN_MISSPELT = 6
"""Shortest word that is taken for a misspelling of another."""
MAX_MISSPELT = 40
"""Longest one: no word is longer."""
_MIN_TARGET = 5


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


class _Halves:
    """Words of one length by their first and by their last letters: one edit leaves one of both as it is."""

    def __init__(self, size: int) -> None:
        self._first, self._last = size // 2, size - size // 2
        self._begins: dict[str, list[str]] = {}
        self._ends: dict[str, list[str]] = {}

    def add(self, word: str) -> None:
        self._begins.setdefault(word[: self._first], []).append(word)
        self._ends.setdefault(word[-self._last :], []).append(word)

    def near(self, word: str) -> Iterator[str]:
        """Give the words that share a half with this one, some twice."""
        yield from self._begins.get(word[: self._first], ())
        yield from self._ends.get(word[-self._last :], ())


class Speller:
    """Mends words that stand in no name and no definition and lie one edit from a word of a name.

    Its tables are made when the first unknown word is met: many notes have none.
    """

    def __init__(self, targets: Iterable[str], known: frozenset[str]) -> None:
        self._known = known
        self._targets = frozenset(targets)
        self._sizes: dict[int, _Halves] = {}

    def mend(self, word: str) -> str:
        """Give the word meant, or the word itself where it is known, too short or where two words could be meant."""
        if not MIN_MISSPELT <= len(word) <= MAX_MISSPELT or word in self._known or not word.isalpha():
            return word
        swaps, others = self._near(word)
        near = swaps or others  # equal letters in another order are the likeliest slip
        return next(iter(near)) if len(near) == 1 else word

    def _near(self, word: str) -> tuple[set[str], set[str]]:
        """Give the targets of the same first letter one edit away: by a swap of neighbours, and by any other edit."""
        if not self._sizes:
            for target in self._targets:
                if len(target) >= _MIN_TARGET and target.isalpha():
                    self._sizes.setdefault(len(target), _Halves(len(target))).add(target)
        swaps = {word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(1, len(word) - 1)} - {word}
        near: set[str] = set()
        for size in range(len(word) - 1, len(word) + 2):
            if size in self._sizes:
                near.update(self._sizes[size].near(word))
        found = {one for one in near if one[0] == word[0] and one_edit_apart(word, one)}
        return swaps.intersection(self._targets), found

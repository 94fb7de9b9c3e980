"""Finding names in a text: Aho-Corasick over normal forms, longest match, with one-edit misspellings mended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import ahocorasick

from kg.link.abbreviations import abbreviations, find_abbreviations
from kg.link.compose import EXACT, MADE, VAGUE, Composer
from kg.link.names import STOPPED, Name, lexicon, load_names
from kg.link.stated_values import find_values
from kg.link.words import Match, Words

if TYPE_CHECKING:
    from kg.bundle import Bundle

MIN_MISSPELT = 6
"""Shortest word that is taken for a misspelling of another."""
MAX_MISSPELT = 40
"""Longest one: no word is longer, and looking for neighbours takes the square of the length."""
_MIN_TARGET = 5
_NEIGHBOURS = 250_000
_FAMILY = ["family", "history", "of"]


def deletions(word: str) -> Iterator[str]:
    """Give the word and every string that lacks one of its letters."""
    yield word
    for at in range(len(word)):
        yield word[:at] + word[at + 1 :]


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


class Speller:
    """Mends words that stand in no name and no definition and lie one edit from a word of a name."""

    def __init__(self, targets: Iterable[str], known: frozenset[str]) -> None:
        self._known = known
        self._neighbours: dict[str, list[str]] = {}
        for word in sorted(set(targets)):
            if len(word) >= _MIN_TARGET and word.isalpha():
                for key in deletions(word):
                    self._neighbours.setdefault(key, []).append(word)
        self._memory: dict[str, str] = {}

    def mend(self, word: str) -> str:
        """Give the word meant, or the word itself where it is known, too short or where two words could be meant."""
        if not MIN_MISSPELT <= len(word) <= MAX_MISSPELT or word in self._known or not word.isalpha():
            return word
        held = self._memory.get(word)
        if held is None:
            held = self._look_up(word)
            if len(self._memory) > _NEIGHBOURS:
                self._memory.clear()
            self._memory[word] = held
        return held

    def _look_up(self, word: str) -> str:
        found = {target for key in deletions(word) for target in self._neighbours.get(key, ())}
        near = sorted(t for t in found if t[0] == word[0] and one_edit_apart(word, t))
        if len(near) > 1:  # equal letters in another order are the likeliest slip
            swaps = [t for t in near if sorted(t) == sorted(word)]
            near = swaps or near
        return near[0] if len(near) == 1 else word


class Matcher:
    """Finds all names of a bundle in texts; build once (about a second), use for any number of texts."""

    def __init__(self, names: list[Name], known: frozenset[str]) -> None:
        self.concepts = frozenset(name.concept for name in names)
        self._composer = Composer(names)
        names = [name for name in names if name.rank != STOPPED]
        self._names = {name.key: name for name in names}
        self._automaton: Any = ahocorasick.Automaton()
        for name in names:
            self._automaton.add_word(f" {name.key} ", (len(name.key), name))
        for phrase in lexicon().phrases - self._names.keys():
            self._automaton.add_word(f" {phrase} ", (len(phrase), Name(phrase, "", 0, False)))
        if len(self._automaton):
            self._automaton.make_automaton()
        vocabulary = {word for name in names for word in name.key.split(" ")}
        lists = self._composer.words()
        self._speller = Speller(vocabulary | lists, known | vocabulary | lists | lexicon().ordinary)

    def find(self, words: Words) -> list[Match]:
        """Give the longest names that stand in the text, left to right, without overlap.

        A name as the ontology writes it goes before one put together from its parts, and that before a finding alone.
        """
        if not self._names or not words.normal:
            return []
        mend = self._speller.mend
        normal = [mend(word) if word else word for word in words.normal]
        line, at_start, at_end = _line(normal)
        found: list[tuple[int, int, int, str]] = []
        senses = abbreviations().senses
        for end, (size, name) in self._automaton.iter(line):
            first, last = at_start[end - size], at_end[end - 1]
            if first == last and words.lower[first] in senses:
                continue
            if not name.cased or _in_capitals(words, first, last):
                found.append((first, -last, EXACT, name.concept))
        short = find_abbreviations(words, normal, self.concepts)
        found.extend((one.first, -one.last, EXACT, one.concept) for one in short)
        found.extend((one.first, -one.last, one.how, one.concept) for one in self._composer.find(normal, words.lower))
        found.extend((one.first, -one.last, MADE, one.concept) for one in find_values(words, normal, self.concepts))
        found = _without_vague(found)
        matches: list[Match] = []
        taken = -1
        for first, negative, _, concept in found:
            last = -negative
            if first <= taken:
                continue
            taken = last
            if not concept or self._in_compound(words, last):
                continue
            if words.lower[first : first + 3] == _FAMILY and last > first + 2:
                # "Family history of X" is a concept of its own, and X a mention of its own
                taken = last = first + 2
            shared = self._shared(words, normal, first, last)
            matches.extend(one for one in shared if not matches or one.first > matches[-1].last)
            matches.append(Match(concept, first, last))
        return matches

    def _in_compound(self, words: Words, last: int) -> bool:
        """Say whether the match only qualifies a service, drug or test ("pain medication")."""
        return last + 1 < len(words.normal) and words.normal[last + 1] in lexicon().heads

    def _shared(self, words: Words, normal: list[str], first: int, last: int) -> list[Match]:
        """Find chest pain in "chest and abdominal pain": words before a conjunction share the last word."""
        if first < 2 or last == first or words.lower[first - 1] not in ("and", "or", "/", ","):
            return []
        made = [
            Match(one.concept, one.first, one.last) for one in self._composer.shared(normal, words.lower, (first, last))
        ]
        if made or words.lower[first - 1] == ",":
            return sorted(made, key=lambda match: match.first)
        other = self._names.get(f"{normal[first - 2]} {normal[last]}")
        if other is not None and not other.cased and normal[first - 2] not in self._names:
            return [Match(other.concept, first - 2, first - 2)]
        return []


def _without_vague(found: list[tuple[int, int, int, str]]) -> list[tuple[int, int, int, str]]:
    """Leave out what is only "abnormal" or a "problem" where a better finding goes on ("abnormal weight gain").

    Rows are first token, last token negated, how it was found, and concept; they come back in order.
    """
    reach: dict[int, int] = {}  # of what is clear: first token, last token of the longest
    for first, negative, how, _ in found:
        if how in (EXACT, MADE):
            reach[first] = max(reach.get(first, first), -negative)
    kept = []
    for row in found:
        first, last = row[0], -row[1]
        if row[2] == VAGUE and any(reach.get(at, 0) > last for at in range(first + 1, last + 1)):
            continue
        kept.append(row)
    return sorted(kept)


def _line(normal: list[str]) -> tuple[str, dict[int, int], dict[int, int]]:
    """Join the normal forms; map offsets in the line to tokens."""
    pieces: list[str] = [" "]
    starts: dict[int, int] = {}
    ends: dict[int, int] = {}
    at = 1
    for index, word in enumerate(normal):
        if not word:
            continue
        if word == "|":
            pieces.append("| ")
            at += 2
            continue
        piece = word + " " if word != "non" else word  # as `spaced`, without the call
        starts[at] = index
        ends[at + len(piece) - 2] = index
        pieces.append(piece)
        at += len(piece)
    return "".join(pieces), starts, ends


def _in_capitals(words: Words, first: int, last: int) -> bool:
    raw = words.raw(first, last)
    letters = [c for c in raw.removesuffix("s") if c.isalpha()]
    return bool(letters) and all(c.isupper() for c in letters)


_HELD: dict[str, Matcher] = {}


def matcher_for(bundle: Bundle) -> Matcher:
    """Give the matcher of a bundle, the last one kept in memory."""
    if bundle.hash not in _HELD:
        matcher = Matcher(*load_names(bundle))
        _HELD.clear()
        _HELD[bundle.hash] = matcher
    return _HELD[bundle.hash]

"""Finding names in a text: Aho-Corasick over normal forms, longest match, with one-edit misspellings mended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kg.link.abbreviations import abbreviations, find_abbreviations
from kg.link.compose import Composer
from kg.link.meanings import EXACT, MADE, VAGUE, Meanings, take_apart
from kg.link.names import STOPPED, Name, lexicon, load_names
from kg.link.reading import CLOSER, Reader
from kg.link.search import NameSearch
from kg.link.spelling import Speller
from kg.link.stated_values import find_values, value_words
from kg.link.words import Match, Words, normal_word

if TYPE_CHECKING:
    from kg.bundle import Bundle

_FAMILY = ["family", "history", "of"]


class Matcher:
    """Finds all names of a bundle in texts; build once (about a second), use for any number of texts."""

    def __init__(self, names: list[Name], known: frozenset[str]) -> None:
        self.concepts = frozenset(name.concept for name in names)
        self._composer = Composer(Meanings(take_apart(names), self.concepts))
        names = [name for name in names if name.rank != STOPPED]
        self._names = {name.key: name for name in names}
        nothing = [Name(phrase, "", 0, False) for phrase in sorted(lexicon().phrases - self._names.keys())]
        self._searched = names + nothing
        self._search = NameSearch(name.key for name in self._searched)
        vocabulary = {word for name in names for word in name.key.split(" ")}
        lists = self._composer.words()
        speller = Speller(vocabulary | lists, known | vocabulary | lists | lexicon().ordinary)
        values = value_words()
        mark = self._composer.mark
        short = frozenset(map(normal_word, abbreviations().senses))
        self._reader = Reader(
            speller.mend, lambda word: mark(word) | (CLOSER if word in values else 0), self._search, short
        )

    def find(self, words: Words) -> list[Match]:
        """Give the longest names that stand in the text, left to right, without overlap.

        A name as the ontology writes it goes before one put together from its parts, and that before a finding alone.
        """
        if not self._names or not words.normal:
            return []
        text = self._reader.read(words)
        normal = text.normal
        found: list[tuple[int, int, int, str]] = []
        senses = abbreviations().senses
        for number, begin, end in self._search.find(text.codes):
            first, last = text.firsts[begin], text.lasts[end]
            if first == last and words.lower[first] in senses:
                continue
            name = self._searched[number]
            if not name.cased or _in_capitals(words, first, last):
                found.append((first, -last, EXACT, name.concept))
        short = find_abbreviations(words, normal, self.concepts, text.closer)
        found.extend((one.first, -one.last, EXACT, one.concept) for one in short)
        found.extend((one.first, -one.last, one.how, one.concept) for one in self._composer.find(text))
        values = find_values(words, normal, self.concepts, text.closer)
        found.extend((one.first, -one.last, MADE, one.concept) for one in values)
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

    def _shared(self, words: Words, normal: Sequence[str], first: int, last: int) -> list[Match]:
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

"""Finding names in a text: Aho-Corasick over normal forms, longest match, with one-edit misspellings mended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kg.link.abbreviations import abbreviations, find_abbreviations
from kg.link.compose import Composer
from kg.link.lexicon import lexicon
from kg.link.meanings import EXACT, MADE, VAGUE, Meanings, Row, TakenApart, load_apart, take_apart
from kg.link.names import STOPPED, Name, load_names
from kg.link.reading import CLOSER, Reader, Reading
from kg.link.search import NameSearch
from kg.link.spelling import Speller
from kg.link.stated_values import find_values, value_words
from kg.link.words import Match, Words, normal_word

if TYPE_CHECKING:
    from kg.bundle import Bundle

_HISTORY_OF = ["history", "of"]
_CONJUNCTIONS = frozenset(("and", "or", "/", ","))


class Matcher:
    """Finds all names of a bundle in texts; build once (about a second), use for any number of texts."""

    def __init__(self, names: Sequence[Name], known: frozenset[str], apart: TakenApart | None = None) -> None:
        """Make a matcher.

        Args:
            names: what is searched for.
            known: words that are no misspellings.
            apart: the names by their parts, where that is already known.
        """
        self.concepts = frozenset(name.concept for name in names)
        self._composer = Composer(Meanings(apart or take_apart(names), self.concepts))
        names = [name for name in names if name.rank != STOPPED]
        self._names = {name.key: name for name in names}
        data = lexicon()
        nothing = [Name(phrase, "", 0, False) for phrase in sorted(data.phrases - self._names.keys())]
        self._searched = names + nothing
        self._search = NameSearch([name.key for name in self._searched])
        vocabulary = self._search.vocabulary(len(names))
        lists = self._composer.words()
        speller = Speller(vocabulary | lists, known | vocabulary | lists | data.ordinary)
        values = value_words()
        mark = self._composer.mark
        self._senses = abbreviations().senses
        self._reader = Reader(
            speller.mend,
            lambda word: mark(word) | (CLOSER if word in values else 0),
            self._search,
            frozenset(map(normal_word, self._senses)),
        )
        self._heads = data.heads

    def find(self, words: Words) -> list[Match]:
        """Give the longest names that stand in the text, left to right, without overlap.

        A name as the ontology writes it goes before one put together from its parts, and that before a finding alone.
        """
        if not self._names or not words.normal:
            return []
        text = self._reader.read(words)
        normal, lower = text.normal, words.lower
        matches: list[Match] = []
        taken = -1
        for first, negative, _, concept in _without_vague(self._rows(text)):
            if first <= taken:
                continue
            taken = last = -negative
            # a name that only qualifies a service, drug or test is none ("pain medication")
            if not concept or (last + 1 < len(lower) and words.normal[last + 1] in self._heads):
                continue
            if lower[first] == "family" and last > first + 2 and lower[first + 1 : first + 3] == _HISTORY_OF:
                # "Family history of X" is a concept of its own, and X a mention of its own
                taken = last = first + 2
            if first > 1 and last > first and lower[first - 1] in _CONJUNCTIONS:
                for one in self._shared(words, normal, first, last):
                    if not matches or one.first > matches[-1].last:
                        matches.append(one)
            matches.append(Match(concept, first, last))
        return matches

    def _rows(self, text: Reading) -> list[Row]:
        """Collect what may be a mention, from all sources."""
        words = text.words
        rows: list[Row] = []
        for number, begin, end in self._search.find(text.codes):
            first, last = text.firsts[begin], text.lasts[end]
            name = self._searched[number]
            if first == last and words.lower[first] in self._senses:
                continue
            if not name.cased or _in_capitals(words, first, last):
                rows.append((first, -last, EXACT, name.concept))
        self._composer.find(text, rows)
        if text.closer:
            for one in find_abbreviations(words, text.normal, self.concepts, text.closer):
                rows.append((one.first, -one.last, EXACT, one.concept))
            for one in find_values(words, text.normal, self.concepts, text.closer):
                rows.append((one.first, -one.last, MADE, one.concept))
        return rows

    def _shared(self, words: Words, normal: Sequence[str], first: int, last: int) -> list[Match]:
        """Find chest pain in "chest and abdominal pain": words before a conjunction share the last word."""
        made = list(self._composer.shared(normal, words.lower, (first, last)))
        if made or words.lower[first - 1] == ",":
            return sorted(made, key=lambda match: match.first)
        other = self._names.get(f"{normal[first - 2]} {normal[last]}")
        if other is not None and not other.cased and normal[first - 2] not in self._names:
            return [Match(other.concept, first - 2, first - 2)]
        return []


def _without_vague(rows: list[Row]) -> list[Row]:
    """Leave out what is only "abnormal" or a "problem" where a better finding goes on ("abnormal weight gain").

    The rows come back in order.
    """
    vague = [row for row in rows if row[2] == VAGUE]
    if vague:
        reach: dict[int, int] = {}  # of what is clear: first token, last token of the longest
        for first, negative, how, _ in rows:
            if how <= MADE:
                reach[first] = max(reach.get(first, first), -negative)
        worse = {row for row in vague if any(reach.get(at, 0) > -row[1] for at in range(row[0] + 1, 1 - row[1]))}
        rows = [row for row in rows if row not in worse] if worse else rows
    return sorted(rows)


def _in_capitals(words: Words, first: int, last: int) -> bool:
    raw = words.raw(first, last)
    letters = [c for c in raw.removesuffix("s") if c.isalpha()]
    return bool(letters) and all(c.isupper() for c in letters)


_HELD: dict[str, Matcher] = {}


def matcher_for(bundle: Bundle) -> Matcher:
    """Give the matcher of a bundle, the last one kept in memory."""
    if bundle.hash not in _HELD:
        names, known = load_names(bundle)
        _HELD.clear()
        _HELD[bundle.hash] = Matcher(names, known, load_apart(bundle, names))
    return _HELD[bundle.hash]

"""Findings put together from their parts, in whatever order a note says them.

The ontology's names are taken apart once (`Composer`), so that "Ankle swelling" answers for "the ankle is swollen",
"swelling of her left ankle" and "edema around the ankle". Where it has no term for a site, the larger site's term is
taken (thumb, finger, hand, upper limb), at last the finding's own. "Unable to walk" and "trouble with balance" are
functions that fail; "kidney problems" is an abnormality of that system.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from kg.link.meanings import ALONE, MOST_UNITS, Meanings, Row
from kg.link.parts import Lookup, Unit, parts
from kg.link.reading import BARE, GAP, INSIDE, KNOWN, PHRASE, WITH, Reading, marked
from kg.link.words import Match

NEAR = 120
"""Tokens on both sides in which a word must stand that makes a bare finding one of its site."""
_WITH = frozenset(("with", "from", "for", "him", "himself", "herself"))
"""May stand after a word such as "trouble", but not inside other findings."""
_LINKS = frozenset(("and", "or", "/", ",", "and/or", "nor"))
_LIMIT = 3
_BRANCHES = 3
"""How many words may be read both as part of a name and as standing between, from one beginning."""
_MOST_LEARNT = 200_000
_PASSES = GAP | WITH
_GOES_ON = KNOWN | GAP | WITH
_INSIDE = bytes((INSIDE,))
_PHRASE, _BARE = re.compile(marked(PHRASE)), re.compile(marked(BARE))
# A part that another follows, with no more between than is ever passed over.
_BETWEEN = _INSIDE + b"*(?:" + marked(GAP, WITH) + _INSIDE + b"*){0,%d}" % (_LIMIT + 1)
_START = re.compile(marked(KNOWN) + b"(?=" + _BETWEEN + marked(KNOWN) + b")")


class _Single(dict[str, tuple[int, int]]):
    """Each unit's number and how many words it has, by its words: phrases of the lists, and any word by itself."""

    def __init__(self, composer: Composer) -> None:
        super().__init__()
        self._composer = composer
        for rows in parts().phrases.values():
            for key, unit in rows:
                self[" ".join(key)] = composer.number(unit), len(key)

    def __missing__(self, word: str) -> tuple[int, int]:
        self[word] = made = self._composer.number_of(word), 1
        return made


class Composer:
    """Finds findings by their parts; made from a bundle's names, used for any number of texts."""

    def __init__(self, meanings: Meanings) -> None:
        self._parts = parts()
        self._lookup = Lookup(self._parts)
        self._meanings = meanings
        self._learnt: dict[tuple[int, ...], tuple[str, int, bool]] = {}
        self._units: list[Unit] = []
        self._unit_numbers: dict[Unit, int] = {}
        self._single = _Single(self)

    def words(self) -> frozenset[str]:
        """Give every word of the lists: right spellings, which misspelt ones are mended to."""
        phrases = (words for rows in self._parts.phrases.values() for words, _ in rows)
        return frozenset(self._parts.single).union(*phrases)

    def mark(self, word: str) -> int:
        """Give the marks of a normal word; see `kg.link.reading`."""
        phrases, unit = self._lookup[word]
        return self._mark_of(unit) | (PHRASE if phrases else 0)

    def _mark_of(self, unit: Unit) -> int:
        mark = KNOWN if unit.part or unit.key in self._meanings.vocabulary else 0
        if not unit.part and (unit.key in self._parts.gaps or unit.key in self._parts.qualifiers):
            mark |= GAP
        elif not unit.part and unit.key in _WITH:
            mark |= WITH
        return mark | (BARE if unit.bare else 0)

    def find(self, text: Reading, found: list[Row]) -> None:
        """Add what can be put together in a text; answers may overlap."""
        said, marks = self._units_of(text)
        places = text.places
        for match in _BARE.finditer(marks):
            at = match.start()
            number, size = self._single[said[at]]
            first, last = places[at], places[at + size - 1]
            kind = self._parts.kinds[self._units[number].finding]
            concept = self._meanings.first(kind.bare)
            near = text.normal[max(0, first - NEAR) : last + NEAR] if kind.near else ()
            if concept and not (kind.near and kind.near.isdisjoint(near)):
                found.append((first, -last, ALONE, concept))
        for match in _START.finditer(marks):
            self._from(said, marks, match.start(), places, found)

    def _units_of(self, text: Reading) -> tuple[Sequence[str], bytes]:
        """Give words and marks, a phrase of the lists in its first word's place; the longest goes first."""
        said, marks = text.said, text.marks
        begins = [match.start() for match in _PHRASE.finditer(marks)]
        if not begins:
            return said, marks
        joined, changed = list(said), bytearray(marks)
        resume = 0
        for at in begins:
            if at < resume:
                continue
            for key, unit in self._lookup[said[at]][0]:
                size = len(key)
                if tuple(said[at : at + size]) == key:
                    joined[at] = " ".join(key)
                    changed[at] = self._mark_of(unit)
                    changed[at + 1 : at + size] = _INSIDE * (size - 1)
                    resume = at + size
                    break
        return joined, bytes(changed)

    def number(self, unit: Unit) -> int:
        """Give a unit's place in the list of those met so far."""
        number = self._unit_numbers.setdefault(unit, len(self._units))
        if number == len(self._units):
            self._units.append(unit)
        return number

    def number_of(self, word: str) -> int:
        """Give the number of what a word is by itself."""
        return self.number(self._lookup[word][1])

    def _from(self, said: Sequence[str], marks: bytes, at: int, places: Sequence[int], found: list[Row]) -> None:
        """Add what begins at a unit: with the units after it, as long as only gaps lie between."""
        single, learnt, units = self._single, self._learnt, self._units
        end = len(marks)
        number, size = single[said[at]]
        stack: list[tuple[int, tuple[int, ...], int]] = [(at + size, (number,), 0)]
        branches = _BRANCHES
        while stack:
            place, chosen, skipped = stack.pop()
            while place < end:
                mark = marks[place]
                if not mark & _GOES_ON:
                    break
                number, size = single[said[place]]
                place += size
                if mark & _PASSES and skipped < _LIMIT + len(chosen):
                    last = units[chosen[-1]]
                    if mark & GAP or last.problem or last.unable:
                        if not mark & KNOWN:
                            skipped += 1
                            continue
                        if branches:  # part of a name, or standing between: try both
                            stack.append((place, chosen, skipped + 1))
                            branches -= 1
                if not mark & KNOWN:
                    break
                chosen = (*chosen, number)
                concept, how, final = learnt.get(chosen) or self._learn(chosen)
                if concept and (final or not self._goes_on(said, marks, place)):
                    found.append((places[at], -places[place - 1], how, concept))
                if len(chosen) == MOST_UNITS:
                    break

    def _learn(self, chosen: tuple[int, ...]) -> tuple[str, int, bool]:
        """Work out what units mean together and keep it."""
        if len(self._learnt) > _MOST_LEARNT:
            self._learnt.clear()
        self._learnt[chosen] = made = self._meanings.meaning([self._units[number] for number in chosen])
        return made

    def _goes_on(self, said: Sequence[str], marks: bytes, place: int) -> bool:
        """Say whether a finding or problem follows at once."""
        if place >= len(marks) or not marks[place] & KNOWN:
            return False
        unit = self._units[self._single[said[place]][0]]
        return bool(unit.finding) or unit.problem

    def shared(self, normal: Sequence[str], lower: Sequence[str], match: tuple[int, int]) -> list[Match]:
        """Give the sites that share a match's last word: breast in "breast or ovarian cancer", all in a longer list."""
        first, last = match
        head = self._unit(normal, last)
        found: list[Match] = []
        if not (head.finding or head.problem) or not self._unit(normal, first).site:
            return found
        at = first - 1
        while at > 0 and lower[at] in _LINKS:
            while at > 0 and lower[at] in _LINKS:
                at -= 1
            start = at
            if start > 0 and self._unit(normal, start - 1, start).site:
                start -= 1
            unit = self._unit(normal, start, at)
            if not unit.site:
                break
            concept = self._meanings.of(head.finding, unit.site) if head.finding else self._meanings.problem(unit.site)
            if not concept:
                break
            found.append(Match(concept, start, at))
            at = start - 1
        return found

    def _unit(self, normal: Sequence[str], first: int, last: int | None = None) -> Unit:
        key = " ".join(normal[first : (first if last is None else last) + 1])
        if last is None or last == first:
            return self._parts.single.get(key) or Unit(key)
        rows = self._parts.phrases.get(normal[first], ())
        return next((unit for words, unit in rows if " ".join(words) == key), Unit(key))

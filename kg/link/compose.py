"""Findings put together from their parts, in whatever order a note says them.

The ontology's names are taken apart once (`Composer`), so that "Ankle swelling" answers for "the ankle is swollen",
"swelling of her left ankle" and "edema around the ankle". Where it has no term for a site, the larger site's term is
taken (thumb, finger, hand, upper limb), at last the finding's own. "Unable to walk" and "trouble with balance" are
functions that fail; "kidney problems" is an abnormality of that system.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from kg.link.names import Name
from kg.link.parts import Lookup, Unit, cut_units, parts, sites_above
from kg.link.reading import BARE, GAP, INSIDE, KNOWN, PHRASE, WITH, Reading, marked

MOST_UNITS = 4
"""Units of meaning in the longest name that is taken apart."""
NEAR = 120
"""Tokens on both sides in which a word must stand that makes a bare finding one of its site."""
_WITH = frozenset(("with", "from", "for", "him", "himself", "herself"))
"""May stand after a word such as "trouble", but not inside other findings."""
_LINKS = frozenset(("and", "or", "/", ",", "and/or", "nor"))
_VAGUE = frozenset(("abnormality", "abnormal", "morphology", "physiology", "functional"))
_LIMIT = 3
_BRANCHES = 3
"""How many words may be read both as part of a name and as standing between, from one beginning."""
_NOT_IN_NAMES = frozenset(("and", "or", "with", "without", "no", "not", "due", "by", "from", "after", "during"))
"""Small words that say how the parts of a name belong together: such names are only found as they stand."""
EXACT, MADE, VAGUE, ALONE = range(4)
"""How a finding was found: as the ontology writes it, from its parts, from "problem" or "unable", or without a site."""


class Composed(NamedTuple):
    """A finding put together; token indices, both included; ``how`` is one of `MADE`, `VAGUE`, `ALONE`."""

    concept: str
    first: int
    last: int
    how: int


_GOES_ON = KNOWN | GAP | WITH
_INSIDE = bytes((INSIDE,))
_PHRASE, _BARE = re.compile(marked(PHRASE)), re.compile(marked(BARE))
# A part that another follows, with no more between than is ever passed over.
_START = re.compile(
    marked(KNOWN) + b"(?=" + _INSIDE + b"*(?:" + marked(GAP, WITH) + _INSIDE + b"*){0,%d}" % (_LIMIT + 1) + marked(KNOWN) + b")",
    re.DOTALL,
)


class _Row(NamedTuple):
    """A text as units: its words, a mark for each, the phrases by their first word, and the lists."""

    said: list[str]
    marks: bytes
    merged: dict[int, tuple[Unit, int]]
    lookup: Lookup

    def unit(self, at: int) -> tuple[Unit, int]:
        """Give the unit that begins at a word, and how many words it has."""
        return self.merged.get(at) or (self.lookup[self.said[at]][1], 1)


class Composer:
    """Finds findings by their parts; made from a bundle's names, used for any number of texts."""

    def __init__(self, names: Iterable[Name]) -> None:
        self._parts = parts()
        self._lookup = Lookup(self._parts)
        self._bags: dict[frozenset[str], str] = {}
        self._systems: dict[str, str] = {}
        self._vocabulary: set[str] = set()
        rated: dict[frozenset[str], tuple[tuple[int, int, str], str]] = {}
        systems: dict[str, tuple[int, str]] = {}
        concepts = set()
        for name in names:
            concepts.add(name.concept)
            if name.cased or not name.concept.startswith("HP:"):
                continue
            words = name.key.split(" ")
            if not _NOT_IN_NAMES.isdisjoint(words):
                continue
            units = [p.unit for p in cut_units(words, range(len(words)), self._lookup)]
            self._note_system(name, units, systems)
            said = [u for u in units if u.key not in self._parts.gaps]
            core = [u for u in said if u.part or u.key not in self._parts.name_only]
            bag = self._bag(core)
            if not 2 <= len(bag) <= MOST_UNITS or any(len(key) < 3 or key.isdigit() for key in bag):
                continue
            rate = (len(said) - len(bag), name.rank, name.concept)
            if bag not in rated or rate < rated[bag][0]:
                rated[bag] = (rate, name.concept)
        self._bags = {bag: concept for bag, (_, concept) in rated.items()}
        self._vocabulary = {key for bag in self._bags for key in bag}
        self._systems = {site: concept for site, (_, concept) in systems.items()}
        self._curated = {site: concept for site, concept in self._parts.systems.items() if concept in concepts}
        self._systems.update(self._curated)
        self._concepts = frozenset(concepts)

    def words(self) -> frozenset[str]:
        """Give every word of the lists: right spellings, which misspelt ones are mended to."""
        phrases = (words for rows in self._parts.phrases.values() for words, _ in rows)
        return frozenset(self._parts.single).union(*phrases)

    def _note_system(self, name: Name, units: Sequence[Unit], systems: dict[str, tuple[int, str]]) -> None:
        """Keep "Abnormality of the X" and "Abnormal X morphology" as what a problem of X is."""
        sites = [u.site for u in units if u.site]
        rest = [u.key for u in units if not u.site and u.key not in self._parts.gaps]
        if len(sites) == 1 and rest and _VAGUE.issuperset(rest):
            rate = name.rank + (0 if rest == ["abnormality"] else 3)
            if sites[0] not in systems or rate < systems[sites[0]][0]:
                systems[sites[0]] = (rate, name.concept)

    def _bag(self, units: Sequence[Unit]) -> frozenset[str]:
        """Give the meaning as a set; a tissue that goes without saying is left out (muscle weakness of the arm)."""
        keys = {u.key for u in units}
        sites = [u.site for u in units if u.site]
        if len(sites) > 1:
            kinds = [self._parts.kinds[u.finding] for u in units if u.finding]
            if any(kind.tissue == "muscle" for kind in kinds):
                keys.discard("site muscle")
            if self._parts.joints.intersection(sites):
                keys.discard("site joint")
        return frozenset(keys)

    def of(self, finding: str, site: str) -> str:
        """Give the term of a finding at a site or at what the site belongs to, else the finding's own; or nothing."""
        kind = self._parts.kinds[finding]
        names = [finding, kind.fallback] if kind.fallback else [finding]
        for name in names:
            for place in sites_above(site, self._parts):
                concept = self._bags.get(frozenset((f"finding {name}", f"site {place}")))
                if concept is not None:
                    return concept
        return "" if kind.near else self._first(kind.bare)

    def _first(self, terms: Sequence[str]) -> str:
        """Give the first of some terms that the graph has, or nothing."""
        return next((term for term in terms if term in self._concepts), "")

    def problem(self, site: str) -> str:
        """Give the term for something wrong with a site or with what it belongs to; or nothing."""
        return next((self._systems[s] for s in sites_above(site, self._parts) if s in self._systems), "")

    def mark(self, word: str) -> int:
        """Give the marks of a normal word; see `kg.link.reading`."""
        phrases, unit = self._lookup[word]
        return self._mark_of(unit) | (PHRASE if phrases else 0)

    def _mark_of(self, unit: Unit) -> int:
        mark = KNOWN if unit.part or unit.key in self._vocabulary else 0
        if not unit.part and (unit.key in self._parts.gaps or unit.key in self._parts.qualifiers):
            mark |= GAP
        elif not unit.part and unit.key in _WITH:
            mark |= WITH
        return mark | (BARE if unit.bare else 0)

    def find(self, text: Reading) -> list[Composed]:
        """Give what can be put together in a text; answers may overlap."""
        found: list[Composed] = []
        row = self._row(text)
        places = text.places
        for match in _BARE.finditer(row.marks):
            at = match.start()
            unit, size = row.unit(at)
            first, last = places[at], places[at + size - 1]
            kind = self._parts.kinds[unit.finding]
            concept = self._first(kind.bare)
            near = text.normal[max(0, first - NEAR) : last + NEAR] if kind.near else ()
            if concept and not (kind.near and kind.near.isdisjoint(near)):
                found.append(Composed(concept, first, last, ALONE))
        for match in _START.finditer(row.marks):
            at = match.start()
            found.extend(
                Composed(concept, places[at], places[end], how) for concept, end, how in self._from(row, at)
            )
        return found

    def _row(self, text: Reading) -> _Row:
        """Cut a text into units: mark the phrases of the lists, the longest first."""
        said, lookup = text.said, self._lookup
        merged: dict[int, tuple[Unit, int]] = {}
        marks = text.marks
        resume = 0
        for match in _PHRASE.finditer(text.marks):
            at = match.start()
            if at < resume:
                continue
            for key, unit in lookup[said[at]][0]:
                size = len(key)
                if tuple(said[at : at + size]) == key:
                    merged[at] = unit, size
                    resume = at + size
                    break
        if merged:
            changed = bytearray(marks)
            for at, (unit, size) in merged.items():
                changed[at] = self._mark_of(unit)
                changed[at + 1 : at + size] = _INSIDE * (size - 1)
            marks = bytes(changed)
        return _Row(said, marks, merged, lookup)

    def _from(self, row: _Row, at: int) -> Iterator[tuple[str, int, int]]:
        """Give what begins at a unit: with the units after it, as long as only gaps lie between.

        Items are concept, last word and how it was found.
        """
        marks = row.marks
        end = len(marks)
        unit, size = row.unit(at)
        stack: list[tuple[int, tuple[Unit, ...], int]] = [(at + size, (unit,), 0)]
        branches = _BRANCHES
        while stack:
            place, chosen, skipped = stack.pop()
            while place < end:
                mark = marks[place]
                if not mark & _GOES_ON:
                    break
                unit, size = row.unit(place)
                place += size
                last = chosen[-1]
                passes = mark & GAP or (mark & WITH and (last.problem or last.unable))
                if passes and skipped < _LIMIT + len(chosen):
                    if mark & KNOWN:  # part of a name, or standing between: try both
                        if branches:
                            stack.append((place, chosen, skipped + 1))
                            branches -= 1
                    else:
                        skipped += 1
                        continue
                if not mark & KNOWN:
                    break
                chosen = (*chosen, unit)
                following = row.unit(place)[0] if place < end and marks[place] & KNOWN else None
                concept, how = self._meaning(chosen, following)
                if concept:
                    yield concept, place - 1, how
                if len(chosen) == MOST_UNITS:
                    break

    def _meaning(self, units: Sequence[Unit], following: Unit | None) -> tuple[str, int]:
        """Give the term of some units taken together, or nothing, and how it was found.

        The unit after them may say that they do not end there: the site of "itchy scalp pain" belongs to the pain.
        """
        first, last = units[0], units[-1]
        vague = first.problem or first.unable
        if (
            last.site
            and (first.finding or vague)
            and following is not None
            and (following.finding or following.problem)
        ):
            return "", MADE
        if len(units) == 2 and (first.site or last.site) and (first.problem or last.problem):
            curated = self._curated.get(first.site or last.site)
            if curated is not None and (last.problem or first.key not in self._parts.after):
                return curated, VAGUE
        concept = self._bags.get(self._bag(units))
        if concept is not None:
            return concept, VAGUE if vague or last.problem else MADE
        sites = [u.site for u in units if u.site]
        findings = [u.finding for u in units if u.finding]
        if len(findings) == 1 and len(sites) + 1 == len(units):
            return self.of(findings[0], sites[0]), MADE
        if len(units) != 2:
            return "", MADE
        function = first.function or last.function
        if function and ((first.unable and last.function) or first.problem or (last.problem and first.function)):
            return self._first(self._parts.functions[function]), VAGUE
        if first.site and last.problem:
            return self.problem(first.site), VAGUE
        if first.problem and last.site and first.key not in self._parts.after:
            return self.problem(last.site), VAGUE
        return "", MADE

    def shared(self, normal: Sequence[str], lower: Sequence[str], match: tuple[int, int]) -> Iterator[Composed]:
        """Give the sites that share a match's last word: breast in "breast or ovarian cancer", all in a longer list."""
        first, last = match
        head = self._unit(normal, last)
        if not (head.finding or head.problem) or not self._unit(normal, first).site:
            return
        at = first - 1
        while at > 0 and lower[at] in _LINKS:
            while at > 0 and lower[at] in _LINKS:
                at -= 1
            start = at
            if start > 0 and self._unit(normal, start - 1, start).site:
                start -= 1
            unit = self._unit(normal, start, at)
            if not unit.site:
                return
            concept = self.of(head.finding, unit.site) if head.finding else self.problem(unit.site)
            if not concept:
                return
            yield Composed(concept, start, at, MADE)
            at = start - 1

    def _unit(self, normal: Sequence[str], first: int, last: int | None = None) -> Unit:
        key = " ".join(normal[first : (first if last is None else last) + 1])
        if last is None or last == first:
            return self._parts.single.get(key) or Unit(key)
        rows = self._parts.phrases.get(normal[first], ())
        return next((unit for words, unit in rows if " ".join(words) == key), Unit(key))

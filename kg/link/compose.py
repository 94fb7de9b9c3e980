"""Findings put together from their parts, in whatever order a note says them.

The ontology's names are taken apart once (`Composer`), so that "Ankle swelling" answers for "the ankle is swollen",
"swelling of her left ankle" and "edema around the ankle". Where it has no term for a site, the larger site's term is
taken (thumb, finger, hand, upper limb), at last the finding's own. "Unable to walk" and "trouble with balance" are
functions that fail; "kidney problems" is an abnormality of that system.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from kg.link.names import Name
from kg.link.parts import Lookup, Placed, Unit, cut_units, parts, sites_above

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

    def find(self, normal: Sequence[str], lower: Sequence[str]) -> list[Composed]:
        """Give what can be put together in a text; answers may overlap.

        Args:
            normal: each token's normal form, misspellings mended; empty where it does not count, ``|`` at barriers.
            lower: each token in lower case.
        """
        found: list[Composed] = []
        words: list[str] = []
        positions: list[int] = []
        prefix = ""
        for index, word in enumerate(normal):
            if word == "|":
                self._phrase(words, positions, normal, lower, found)
                words, positions, prefix = [], [], ""
            elif word == "non":  # non-tender is nontender
                prefix = word
            elif word:
                words.append(prefix + word)
                positions.append(index)
                prefix = ""
        self._phrase(words, positions, normal, lower, found)
        return found

    def _phrase(
        self,
        words: list[str],
        positions: list[int],
        normal: Sequence[str],
        lower: Sequence[str],
        found: list[Composed],
    ) -> None:
        """Search one stretch without a barrier."""
        if len(words) < 2 and (not words or words[0] not in self._parts.single):
            return
        known = self._parts
        units = cut_units(words, positions, self._lookup)
        for at, placed in enumerate(units):
            unit = placed.unit
            if unit.bare and self._bare(placed, normal, lower):
                found.append(Composed(self._first(known.kinds[unit.finding].bare), placed.first, placed.last, ALONE))
            if at + 1 < len(units) and (unit.part or unit.key in self._vocabulary):
                found.extend(self._from(units, at))

    def _bare(self, placed: Placed, normal: Sequence[str], lower: Sequence[str]) -> bool:
        kind = self._parts.kinds[placed.unit.finding]
        if not self._first(kind.bare):
            return False
        low, high = max(0, placed.first - NEAR), placed.last + NEAR
        return not kind.near or not kind.near.isdisjoint(normal[low:high])

    def _from(self, units: list[Placed], at: int) -> Iterator[Composed]:
        """Give what begins at a unit: with the units after it, as long as only gaps lie between."""
        first = units[at]
        stack: list[tuple[int, tuple[Unit, ...], int]] = [(at + 1, (first.unit,), 0)]
        known = self._parts
        branches = _BRANCHES
        while stack:
            place, chosen, skipped = stack.pop()
            while place < len(units):
                placed = units[place]
                unit = placed.unit
                place += 1
                known_word = unit.part or unit.key in self._vocabulary
                passes = not unit.part and (
                    unit.key in known.gaps
                    or unit.key in known.qualifiers
                    or (unit.key in _WITH and (chosen[-1].problem or chosen[-1].unable))
                )
                if passes and skipped < _LIMIT + len(chosen):
                    if known_word:  # part of a name, or standing between: try both
                        if branches:
                            stack.append((place, chosen, skipped + 1))
                            branches -= 1
                    else:
                        skipped += 1
                        continue
                if not known_word:
                    break
                chosen = (*chosen, unit)
                concept, how = self._meaning(chosen, units[place].unit if place < len(units) else None)
                if concept:
                    yield Composed(concept, first.first, placed.last, how)
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

"""What parts of a finding mean together: the ontology's names, taken apart once by the lists of ``parts.toml``.

"Ankle swelling" is the set of a site and a kind of finding, and answers for every row of words that gives this set.
Where the ontology has no term for a site, the larger site's term is taken (thumb, finger, hand, upper limb), at last
the finding's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from kg.link.cache import kept_table
from kg.link.lexicon import lexicon
from kg.link.names import FORMAT, Name
from kg.link.parts import Lookup, Unit, cut_units, parts, sites_above

if TYPE_CHECKING:
    from kg.bundle import Bundle

MOST_UNITS = 4
"""Units of meaning in the longest name that is taken apart."""
_VAGUE = frozenset(("abnormality", "abnormal", "morphology", "physiology", "functional"))
_NOT_IN_NAMES = frozenset(("and", "or", "with", "without", "no", "not", "due", "by", "from", "after", "during"))
"""Small words that say how the parts of a name belong together: such names are only found as they stand."""
EXACT, MADE, VAGUE, ALONE = range(4)
"""How a finding was found: as the ontology writes it, from its parts, from "problem" or "unable", or without a site."""
Row = tuple[int, int, int, str]
"""What may be a mention: first token, last token negated, how it was found, concept; in order, the longest first."""

_BETWEEN = "|"  # in no normal word


@dataclass(frozen=True, slots=True)
class TakenApart:
    """The names of a bundle by their parts: terms by the keys of their units, and what a problem of a site is."""

    bags: Mapping[frozenset[str], str]
    systems: Mapping[str, str]


def take_apart(names: Iterable[Name]) -> TakenApart:
    """Take the ontology's names apart; of several names with the same parts the plainest counts."""
    known = parts()
    lookup = Lookup(known)
    rated: dict[frozenset[str], tuple[tuple[int, int, str], str]] = {}
    systems: dict[str, tuple[int, str]] = {}
    for name in names:
        if name.cased or not name.concept.startswith("HP:"):
            continue
        words = name.key.split(" ")
        if not _NOT_IN_NAMES.isdisjoint(words):
            continue
        units = cut_units(words, lookup)
        _note_system(name, units, systems)
        said = [u for u in units if u.key not in known.gaps]
        bag = bag_of([u for u in said if u.part or u.key not in known.name_only])
        if not 2 <= len(bag) <= MOST_UNITS or any(len(key) < 3 or key.isdigit() for key in bag):
            continue
        rate = (len(said) - len(bag), name.rank, name.concept)
        if bag not in rated or rate < rated[bag][0]:
            rated[bag] = (rate, name.concept)
    return TakenApart(
        {bag: concept for bag, (_, concept) in rated.items()},
        {site: concept for site, (_, concept) in systems.items()},
    )


def load_apart(bundle: Bundle, names: Iterable[Name]) -> TakenApart:
    """Give a bundle's names by their parts; see `kg.link.cache`."""
    key = f"{lexicon().digest}-{parts().digest}-{FORMAT}"
    frame = kept_table(bundle, "parts", key, lambda: _table(take_apart(names)))
    bags, systems = frame.filter("bag"), frame.filter(~pl.col("bag"))
    keys = map(frozenset, bags["parts"].str.split(_BETWEEN).to_list())
    return TakenApart(
        dict(zip(keys, bags["concept"].to_list(), strict=True)),
        dict(zip(systems["parts"].to_list(), systems["concept"].to_list(), strict=True)),
    )


def _table(apart: TakenApart) -> pl.DataFrame:
    rows = [(True, _BETWEEN.join(sorted(bag)), concept) for bag, concept in apart.bags.items()]
    rows.sort()
    rows += [(False, site, concept) for site, concept in sorted(apart.systems.items())]
    return pl.DataFrame(rows, schema={"bag": pl.Boolean, "parts": pl.String, "concept": pl.String}, orient="row")


def _note_system(name: Name, units: Sequence[Unit], systems: dict[str, tuple[int, str]]) -> None:
    """Keep "Abnormality of the X" and "Abnormal X morphology" as what a problem of X is."""
    sites = [u.site for u in units if u.site]
    rest = [u.key for u in units if not u.site and u.key not in parts().gaps]
    if len(sites) == 1 and rest and _VAGUE.issuperset(rest):
        rate = name.rank + (0 if rest == ["abnormality"] else 3)
        if sites[0] not in systems or rate < systems[sites[0]][0]:
            systems[sites[0]] = (rate, name.concept)


def bag_of(units: Sequence[Unit]) -> frozenset[str]:
    """Give the meaning as a set; a tissue that goes without saying is left out (muscle weakness of the arm)."""
    keys = {u.key for u in units}
    sites = [u.site for u in units if u.site]
    if len(sites) > 1:
        kinds = [parts().kinds[u.finding] for u in units if u.finding]
        if any(kind.tissue == "muscle" for kind in kinds):
            keys.discard("site muscle")
        if parts().joints.intersection(sites):
            keys.discard("site joint")
    return frozenset(keys)


class Meanings:
    """Answers what units mean together, for the concepts of one bundle."""

    def __init__(self, apart: TakenApart, concepts: frozenset[str]) -> None:
        self._parts = parts()
        self._concepts = concepts
        self._bags = apart.bags
        self._curated = {site: concept for site, concept in self._parts.systems.items() if concept in concepts}
        self._systems = {**apart.systems, **self._curated}
        self.vocabulary = frozenset(key for bag in self._bags for key in bag)

    def of(self, finding: str, site: str) -> str:
        """Give the term of a finding at a site or at what the site belongs to, else the finding's own; or nothing."""
        kind = self._parts.kinds[finding]
        names = [finding, kind.fallback] if kind.fallback else [finding]
        for name in names:
            for place in sites_above(site, self._parts):
                concept = self._bags.get(frozenset((f"finding {name}", f"site {place}")))
                if concept is not None:
                    return concept
        return "" if kind.near else self.first(kind.bare)

    def first(self, terms: Sequence[str]) -> str:
        """Give the first of some terms that the graph has, or nothing."""
        return next((term for term in terms if term in self._concepts), "")

    def problem(self, site: str) -> str:
        """Give the term for something wrong with a site or with what it belongs to; or nothing."""
        return next((self._systems[s] for s in sites_above(site, self._parts) if s in self._systems), "")

    def meaning(self, units: Sequence[Unit]) -> tuple[str, int, bool]:
        """Give the term of some units taken together, or nothing, how it was found, and whether that is final.

        Where it is not, a finding after them takes the last: the site of "itchy scalp pain" belongs to the pain.
        """
        first, last = units[0], units[-1]
        vague = first.problem or first.unable
        concept, how = self._term(units, vague)
        return concept, how, not (last.site and (first.finding or vague))

    def _term(self, units: Sequence[Unit], vague: bool) -> tuple[str, int]:
        first, last = units[0], units[-1]
        if len(units) == 2 and (first.site or last.site) and (first.problem or last.problem):
            curated = self._curated.get(first.site or last.site)
            if curated is not None and (last.problem or first.key not in self._parts.after):
                return curated, VAGUE
        concept = self._bags.get(bag_of(units))
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
            return self.first(self._parts.functions[function]), VAGUE
        if first.site and last.problem:
            return self.problem(first.site), VAGUE
        if first.problem and last.site and first.key not in self._parts.after:
            return self.problem(last.site), VAGUE
        return "", MADE

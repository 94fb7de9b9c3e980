"""Linking one text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from kg.link.abbreviations import abbreviations
from kg.link.context import Course, flags_of
from kg.link.context_rules import ContextRules, context_rules
from kg.link.headings import Sections
from kg.link.hierarchy import ancestors_of, descendants_of, parents_of
from kg.link.lexicon import lexicon
from kg.link.match import Matcher, matcher_for
from kg.link.measures import measures
from kg.link.parts import parts
from kg.link.story import follow, follow_relatives
from kg.link.words import cut
from kg.types import Mention

if TYPE_CHECKING:
    from kg.bundle import Bundle

_HELD: dict[tuple[str, str], _Loaded] = {}


def link_text(text: str, bundle: Bundle, *, section: str | None = None, rules: Path | None = None) -> list[Mention]:
    """Find the concepts named in a text, with their context.

    Args:
        text: any clinical text. Headings inside it ("FAMILY HISTORY:") colour what follows them.
        bundle: the graph whose names are searched for.
        section: the note section's name; it colours every mention (a family history is about others, a past medical
            history is past but for chronic diseases).
        rules: a data file of your own whose context rules add to those of the package.

    Returns:
        Mentions in order of place, without overlap; ``start`` and ``end`` are character offsets into ``text``.

    Raises:
        InputError: where ``rules`` cannot be used.
    """
    return Linker(bundle, rules=rules).link(text, section)


def rules_digests(rules: Path | None = None) -> list[str]:
    """Give the digests of all data files that linking follows; what was linked by others is stale."""
    own = (lexicon(), parts(), measures(), abbreviations())
    return [*(data.digest for data in own), context_rules(rules).digest]


@dataclass(frozen=True, slots=True)
class _Loaded:
    matcher: Matcher
    course: Course
    rules: ContextRules
    is_a: Callable[[str, str], bool]


class Linker:
    """Links many texts against one bundle."""

    def __init__(self, bundle: Bundle, *, rules: Path | None = None) -> None:
        context = context_rules(rules)
        key = (bundle.hash, context.digest)
        if key not in _HELD:
            loaded = _load(bundle, context)
            _HELD.clear()
            _HELD[key] = loaded
        self._held = _HELD[key]

    def link(self, text: str, section: str | None = None) -> list[Mention]:
        """Find the mentions of one text; see `link_text`."""
        words = cut(text)
        matches = self._held.matcher.find(words)
        if not matches:
            return []
        rules = self._held.rules
        flags = flags_of(words, [(first, last) for _, first, last in matches], rules)
        follow_relatives(words, matches, flags, rules)
        follow(words, matches, flags, self._held.is_a, rules)
        colour = rules.sections.get(section) if section else None
        sections = Sections(text, rules.headings)
        mentions = []
        for (concept, first, last), found in zip(matches, flags, strict=True):
            start = words.starts[first]
            inside, heading = sections.at(start)
            if heading:
                continue
            if colour:
                found.add(colour)
            if inside and (other := rules.sections.get(inside)):
                found.add(other)
            if not found:
                mentions.append(Mention(concept, start, words.end(last)))
                continue
            if words.lower[first] == "family":  # the concept itself is about relatives
                found.discard("family")
            mentions.append(
                Mention(
                    concept=concept,
                    start=start,
                    end=words.end(last),
                    negated="negated" in found,
                    historical=self._held.course.is_past(concept, found),
                    hypothetical="hypothetical" in found,
                    family="family" in found,
                )
            )
        return mentions


def _load(bundle: Bundle, rules: ContextRules) -> _Loaded:
    """Give what linking against a bundle needs; the last one is kept in memory."""
    parents = parents_of(bundle)
    passing = descendants_of(rules.passing, parents)
    course = Course(
        lasting=(descendants_of(rules.lasting, parents) - passing) | set(rules.lasting_alone),
        events=descendants_of(rules.events, parents),
        removable=descendants_of(rules.removable, parents),
        momentary=descendants_of(rules.momentary, parents),
        complaints=descendants_of(rules.complaints, parents) - passing,
    )

    @cache
    def above(concept: str) -> set[str]:
        return ancestors_of(concept, parents)

    return _Loaded(matcher_for(bundle), course, rules, lambda concept, other: other in above(concept))

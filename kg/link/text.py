"""Linking one text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kg.link.abbreviations import abbreviations
from kg.link.context import ContextRules, context_rules, flags_of
from kg.link.headings import Sections
from kg.link.hierarchy import descendants_of, parents_of
from kg.link.lexicon import lexicon
from kg.link.match import Matcher, matcher_for
from kg.link.measures import measures
from kg.link.parts import parts
from kg.link.words import cut
from kg.types import Mention

if TYPE_CHECKING:
    from kg.bundle import Bundle

_CHRONIC: dict[str, frozenset[str]] = {}


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
    chronic: frozenset[str]
    rules: ContextRules


class Linker:
    """Links many texts against one bundle."""

    def __init__(self, bundle: Bundle, *, rules: Path | None = None) -> None:
        context = context_rules(rules)
        if bundle.hash not in _CHRONIC:
            parents = parents_of(bundle)
            lasting = descendants_of(context.chronic, parents) - descendants_of(context.passing, parents)
            _CHRONIC.clear()
            _CHRONIC[bundle.hash] = frozenset(lasting)
        self._held = _Loaded(matcher_for(bundle), _CHRONIC[bundle.hash], context)

    def link(self, text: str, section: str | None = None) -> list[Mention]:
        """Find the mentions of one text; see `link_text`."""
        words = cut(text)
        matches = self._held.matcher.find(words)
        if not matches:
            return []
        rules = self._held.rules
        flags = flags_of(words, [(first, last) for _, first, last in matches], rules)
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
            # Of a relative, "history of" says no more than that there was a case.
            if "history_of" in found and "family" not in found and self._passes(concept):
                found.add("historical")
            mentions.append(
                Mention(
                    concept=concept,
                    start=start,
                    end=words.end(last),
                    negated="negated" in found,
                    historical="historical" in found,
                    hypothetical="hypothetical" in found,
                    family="family" in found,
                )
            )
        return mentions

    def _passes(self, concept: str) -> bool:
        """Say whether a concept is gone when it is "history": symptoms and acute diseases; drugs and habits stay."""
        return concept.startswith(("HP:", "CCS:")) and concept not in self._held.chronic

"""What a text has told before: a symptom said to be gone stays past where it is named again.

"The pain has resolved." is past by its own words (`kg.link.context`); a later "her chest pain was sharp" of the same
note is past by these. Mentions before it are left as they are. Not in ConText, which sees one sentence at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

from kg.link.context_rules import ContextRules
from kg.link.words import Match, Words

_OTHER = frozenset(("negated", "hypothetical", "family"))
_BACK = 12
"""Mentions before "the pain has resolved" among which the pain that is meant is looked for."""


def follow(
    words: Words,
    matches: Sequence[Match],
    said: Sequence[set[str]],
    is_a: Callable[[str, str], bool],
    rules: ContextRules,
) -> None:
    """Add ``historical`` to mentions of what the text has called gone before.

    Args:
        words: the text.
        matches: its mentions, in order.
        said: what the text says of each, see `kg.link.context.flags_of`; changed in place.
        is_a: says whether a concept is another or a kind of it.
        rules: have the words that say that something is there again.
    """
    if not any("resolved" in flags for flags in said):
        return
    gone: set[str] = set()
    at = 0
    for first, end in words.sentences:
        inside = []
        while at < len(matches) and matches[at].first < end:
            inside.append(at)
            at += 1
        for index in inside:
            concept, flags = matches[index].concept, said[index]
            if not _OTHER.isdisjoint(flags):
                continue
            if "resolved" in flags:
                gone.add(concept)
                gone.update(_meant(concept, matches[max(0, index - _BACK) : index], is_a))
            elif gone and any(is_a(one, concept) for one in gone):
                own = range(matches[index].first, matches[index].last + 1)
                back = {words.lower[at] for at in range(first, own.stop)}
                if rules.again_before.isdisjoint(back) and rules.again_after.isdisjoint(words.lower[own.stop : end]):
                    flags.add("historical")
                else:
                    gone = {one for one in gone if not is_a(one, concept)}


def _meant(concept: str, before: Sequence[Match], is_a: Callable[[str, str], bool]) -> list[str]:
    """Give the finding that a general word points back to: "the pain" to the chest pain named last."""
    found = (one.concept for one in reversed(before) if one.concept != concept and is_a(one.concept, concept))
    return list(islice(found, 1))

"""What a text has told before: who it is about, and that a symptom is gone.

A passage about relatives goes on to sentences without one ("Father died of a stroke. Siblings are well. Negative for
diabetes.").

"The pain has resolved." is past by its own words (`kg.link.context`); a later "her chest pain was sharp" of the same
note is past by these. Mentions before it are left as they are. Not in ConText, which sees one sentence at a time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import islice

from kg.link.context import tells_of_relatives
from kg.link.context_rules import ContextRules
from kg.link.words import Match, Words

_OTHER = frozenset(("negated", "hypothetical", "family"))
_FEW = 2
"""Sentences about relatives that make a passage of them, at least."""
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
                back = words.lower[max(first, own.start - rules.forward) : own.stop]
                onward = words.lower[own.stop : min(end, own.stop + rules.forward)]
                if rules.again_before.isdisjoint(back) and rules.again_after.isdisjoint(onward):
                    flags.add("historical")
                else:
                    gone = {one for one in gone if not is_a(one, concept)}


def follow_relatives(words: Words, matches: Sequence[Match], said: Sequence[set[str]], rules: ContextRules) -> None:
    """Add ``family`` to mentions in passages that are about relatives: most of their sentences tell of one.

    Only sentences that begin as if they went on ("Negative for …", "Both have …"): "he" may be the patient.

    Args:
        words: the text.
        matches: its mentions, in order.
        said: what the text says of each; changed in place.
        rules: have the words for relatives, and those that go on.
    """
    if not any("family" in flags for flags in said):
        return
    at = 0
    for passage in _passages(words):
        inside = range(at, bisect_left(matches, passage[-1][1], lo=at, key=lambda match: match.first))
        at = inside.stop
        if len(passage) < _FEW or not any("family" in said[index] for index in inside):
            continue
        told = [tells_of_relatives(words, first, end, rules) for first, end in passage]
        if 2 * sum(told) < len(told) or sum(told) < _FEW:
            continue
        free = inside.start
        for first, end in passage:
            here = range(free, bisect_left(matches, end, lo=free, hi=inside.stop, key=lambda match: match.first))
            free = here.stop
            if here and words.lower[first] in rules.goes_on:
                for index in here:
                    said[index].add("family")


def _passages(words: Words) -> list[list[tuple[int, int]]]:
    """Give the sentences of each passage; blank lines part them, and lines without words are none."""
    found: list[list[tuple[int, int]]] = [[]]
    for first, end in words.sentences:
        if set(words.lower[first:end]) == {"\n"}:
            if found[-1]:
                found.append([])
        else:
            found[-1].append((first, end))
    return found if found[-1] else found[:-1]


def _meant(concept: str, before: Sequence[Match], is_a: Callable[[str, str], bool]) -> list[str]:
    """Give the finding that a general word points back to: "the pain" to the chest pain named last."""
    found = (one.concept for one in reversed(before) if one.concept != concept and is_a(one.concept, concept))
    return list(islice(found, 1))

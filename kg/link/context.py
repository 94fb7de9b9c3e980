"""Whether a mention is denied, past, only possible, or of someone else: ConText's rules over ``context.toml``.

Source of the method: H. Harkema, J. N. Dowling, T. Thornblade, W. W. Chapman, "ConText: an algorithm for determining
negation, experiencer, and temporal status from clinical reports", J Biomed Inform 2009. Beyond it, a time in the past
("in 2005", "three years ago") colours its clause, and what is over depends on what the concept is (`Course`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kg.link.context_rules import ContextRules, context_rules
from kg.link.context_terms import AFFIRMED, KINDS, MEANS, Term, Trigger
from kg.link.words import Words

_SHORT = {"former": 4, "beside": 4, "current": 4, "happened": 4, "once": 4}
"""Tokens in which "previous" and "negative" find what they qualify."""
_CLAUSE_ENDS = frozenset(".;,)\n")
_LIST_WORDS = frozenset((",", "or", "nor"))
_POINTS_BACK = frozenset(("this", "it", "that", "these"))
_BEFORE_DOUBT = frozenset(",;:(\n")
_CONTRAST = frozenset(("now", "however", "but", "currently", "later", "subsequently"))


class _Hit(NamedTuple):
    """A term found in a sentence; token indices, ``last`` included."""

    first: int
    last: int
    term: Term


@dataclass(frozen=True, slots=True)
class Course:
    """What concepts do over time.

    Attributes:
        lasting: of those that do not pass (diabetes): "history of" leaves them current.
        events: happen and are over (a fracture, an infarction): past wherever a time in the past is given.
        removable: gone once they were taken out (a tumor, a stone).
        momentary: happen in a moment (a stroke): "had" one says that it is past.
        complaints: come again (a pain): "history of" alone does not say that they are past.
    """

    lasting: Collection[str]
    events: Collection[str]
    removable: Collection[str]
    momentary: Collection[str]
    complaints: Collection[str]

    def is_past(self, concept: str, said: set[str]) -> bool:
        """Say whether a mention is past and not now.

        Args:
            concept: what is mentioned.
            said: what the text says of it: a flag, ``resolved``, ``history_of``, ``dated`` (a time in the past is
                given), ``over`` (and nothing says that it began then or goes on), ``removed``, ``happened``,
                ``current``.
        """
        if "family" in said:  # of a relative, "history of" says no more than that there was a case
            return False
        if "current" in said and "resolved" not in said:
            return False
        if "historical" in said or "resolved" in said or ("dated" in said and concept in self.events):
            return True
        if ("removed" in said and concept in self.removable) or ("happened" in said and concept in self.momentary):
            return True
        passes = concept.startswith(("HP:", "CCS:")) and concept not in self.lasting  # drugs and habits stay
        return passes and ("over" in said or ("history_of" in said and concept not in self.complaints))


def flags_of(words: Words, spans: Sequence[tuple[int, int]], rules: ContextRules | None = None) -> list[set[str]]:
    """Give what the text says of each mention.

    Args:
        words: the text.
        spans: the mentions as token ranges (first, last), both included, in order.
        rules: where not those of the package.

    Returns:
        A set for each mention: flags, and what `Course.is_past` resolves.
    """
    rules = rules or context_rules()
    found: list[set[str]] = [set() for _ in spans]
    at = 0
    for first, end in words.sentences:
        inside: list[int] = []
        while at < len(spans) and spans[at][0] < end:
            if spans[at][0] >= first:
                inside.append(at)
            at += 1
        if inside and spans[inside[0]][0] == first and _asked(words, first):
            found[inside[0]].add("hypothetical")
        if inside:
            _Sentence(words.lower, first, end, [spans[i] for i in inside], rules).colour([found[i] for i in inside])
        elif at and words.lower[first] in _POINTS_BACK:  # "He had a stroke. This was in 2005."
            _Sentence(words.lower, first, end, [(first, first)], rules, apart=True).colour(found[at - 1 : at])
    return found


def _asked(words: Words, first: int) -> bool:
    """Say whether a question mark stands before a word to doubt it, not to end a question ("PUD, ?stroke")."""
    if first == 0 or words.lower[first - 1] != "?":
        return False
    attached = words.end(first - 1) == words.starts[first]
    return attached or first == 1 or words.lower[first - 2] in _BEFORE_DOUBT


def tells_of_relatives(words: Words, first: int, end: int, rules: ContextRules) -> bool:
    """Say whether a sentence, a half-open range of tokens, has a trigger of the family."""
    sentence = _Sentence(words.lower, first, end, [], rules)
    return any(trigger.role == "family" for hit in sentence.hits for trigger, _ in hit.term.says)


class _Sentence:
    """One sentence with its mentions and triggers."""

    def __init__(
        self,
        lower: list[str],
        first: int,
        end: int,
        spans: list[tuple[int, int]],
        rules: ContextRules,
        *,
        apart: bool = False,
    ) -> None:
        """Find the sentence's triggers.

        Args:
            lower: the text's tokens in lower case.
            first: the sentence's first token.
            end: the token after it.
            spans: its mentions.
            rules: what colours them.
            apart: where the mention stands in the sentence before, and a pronoun here: only times count.
        """
        self._apart = apart
        self._lower, self._first, self._end, self._rules = lower, first, end, rules
        self._begins = [start for start, _ in spans]
        self.hits = self._find(spans)

    def _find(self, spans: list[tuple[int, int]]) -> list[_Hit]:
        """Find the terms of the rules; one inside a mention is part of its name."""
        lower, heads, end = self._lower, self._rules.heads, self._end
        covered = {token for start, last in spans if lower[start] != "family" for token in range(start, last + 1)}
        hits: list[_Hit] = []
        free = self._first
        for at, token in enumerate(lower[self._first : end], self._first):
            node = heads[token]
            if node is None or at < free:
                continue
            here = at
            while node is not None and here not in covered:
                here += 1
                if node.term is not None:
                    free, longest = here, node.term
                node = node.onward.get(KINDS[lower[here]]) if here < end and node.onward else None
            if free > at:
                hits.append(_Hit(at, free - 1, longest))
        return hits

    def colour(self, found: list[set[str]]) -> None:
        """Apply the rules to the sentence's mentions."""
        onset = any(hit.term.onset for hit in self.hits)
        for position, hit in enumerate(self.hits):
            for trigger, both in hit.term.says:
                if not self._applies(hit, trigger, both):
                    continue
                if self._apart and trigger.role not in ("dated", "date"):
                    continue
                if onset and trigger.role == "ago":
                    continue
                low, high = self._scope(position, trigger)
                said = self._said(trigger.role, low, high)
                for place in range(bisect_left(self._begins, low), bisect_left(self._begins, high)):
                    found[place].update(said)
        for flags in found:
            if AFFIRMED in flags:
                flags -= {AFFIRMED, "negated"}

    def _said(self, role: str, low: int, high: int) -> tuple[str, ...]:
        """Give what a trigger says of the mentions in its scope."""
        if role == "former":
            return ("over",)
        if role == "ago":
            return ("over",) if self._rules.short.isdisjoint(self._lower[low:high]) else ("historical",)
        if role == "date":
            return ("dated",) if self._rules.short.isdisjoint(self._lower[low:high]) else ("dated", "over")
        if role == "dated":
            inside = bisect_left(self.hits, (low,)), bisect_left(self.hits, (high,))
            goes_on = any(hit.term.onset for hit in self.hits[slice(*inside)])
            return ("dated",) if goes_on else ("dated", "over")
        if role == "initial":  # "initially" is past where the sentence says what came after
            return (
                ("over",)
                if not _CONTRAST.isdisjoint(self._lower[low : min(self._end, high + self._rules.forward)])
                else ()
            )
        return (MEANS.get(role, role),)

    def _applies(self, hit: _Hit, trigger: Trigger, both: bool) -> bool:
        """Say whether a trigger counts: one that may look both ways looks back at the end of its clause, else ahead.

        A date always looks back too, and at the start of the sentence always ahead.
        """
        if not both and not trigger.closing:
            return True
        if trigger.role in ("dated", "date") and (trigger.direction == "backward" or hit.first == self._first):
            return True
        closes = hit.last + 1 >= self._end or self._lower[hit.last + 1] in _CLAUSE_ENDS
        return closes == (trigger.direction == "backward")

    def _scope(self, position: int, trigger: Trigger) -> tuple[int, int]:
        """Give a trigger's scope as a half-open range of tokens."""
        hit = self.hits[position]
        if trigger.direction == "forward":
            end = self._scope_end(position, trigger.role)
            if trigger.role in ("dated", "date") and hit.first != self._first:  # "…, in 2005 a stroke, cough"
                end = next((at for at in range(hit.last + 1, end) if self._lower[at] == ","), end)
            return hit.last + 1, end
        low = self._scope_start(position, trigger.role)
        if trigger.role in ("dated", "date", "ago"):
            low = next((at + 1 for at in range(hit.first - 2, low, -1) if self._lower[at] == ","), low)
        if trigger.role == AFFIRMED:
            return self._affirmed(low, hit.first), hit.first
        return low, hit.first

    def _affirmed(self, low: int, end: int) -> int:
        """Give the start of what "is noted" affirms: after the comma, unless the list before it goes on.

        "No fever, leg edema is noted", but "no fever, cough or edema is noted" and "no edema is noted".
        """
        at = end
        while at > low and self._lower[at - 1] != ",":
            at -= 1
        inside = bisect_left(self.hits, (at,)), bisect_left(self.hits, (end,))
        denied = any("negated" in hit.term.ahead for hit in self.hits[slice(*inside)])
        return end if denied or not _LIST_WORDS.isdisjoint(self._lower[at:end]) else at

    def _scope_end(self, position: int, role: str) -> int:
        """Give the token after a forward scope; a word that ends scopes does not where only fillers lie between."""
        here = self.hits[position]
        limit = min(self._end, here.last + 1 + _SHORT.get(role, self._rules.forward))
        for later in self.hits[position + 1 : position + 2 + self._rules.forward]:
            if later.first >= limit:
                break
            ends = self._ends(later, role)
            if not ends and not (role == "negated" and later.term.turns):
                continue
            if ends and (role in _SHORT or later.term.always):
                return later.first
            between = self._lower[here.last + 1 : later.first]
            if not all(word in self._rules.fillers for word in between):
                return later.first
        return limit

    def _scope_start(self, position: int, role: str) -> int:
        """Give the first token of a backward scope."""
        here = self.hits[position]
        low = max(self._first, here.first - _SHORT.get(role, self._rules.backward))
        for earlier in reversed(self.hits[max(0, position - self._rules.backward - 1) : position]):
            if earlier.last < low:
                break
            if earlier.last + 1 == here.first and self._ends(earlier, role):
                continue
            if self._ends(earlier, role) or role in earlier.term.ahead:
                return earlier.last + 1
        return low

    def _ends(self, hit: _Hit, role: str) -> bool:
        return role in hit.term.ends or (role in hit.term.listed and not self._goes_on(hit))

    def _goes_on(self, hit: _Hit) -> bool:
        """Say whether an adjective stands in a list that goes on to its end ("fever, new pains, or cough")."""
        before = self._lower[hit.first - 1] if hit.first > self._first else ""
        if before != ",":
            return before in _LIST_WORDS
        onward = self._lower[hit.last + 1 : min(self._end, hit.last + 1 + self._rules.forward)]
        return "or" in onward or "nor" in onward

"""Terms of context rules: what they say, and the tokens that they are found by."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain

from kg.link.words import cut

CONTEXT_FLAGS = ("negated", "historical", "hypothetical", "family")
"""What is said of a mention in the end."""
FLAGS = (
    *CONTEXT_FLAGS,
    *("resolved", "history_of", "risk", "narrow", "ago", "post", "beside"),
    *("former", "dated", "date", "initial", "removed", "current", "happened", "once"),
)
"""What a trigger may say; beyond these four, what `kg.link.context` makes of them."""
MEANS = {
    **{"risk": "hypothetical", "narrow": "hypothetical"},
    **{"ago": "historical", "post": "history_of", "former": "history_of", "once": "historical", "beside": "negated"},
}
"""Triggers of a reach of their own, and the flag whose scopes end with the same words; most set it too."""
PSEUDO, ONSET, END = "pseudo", "onset", "end"
"""Looks like a trigger and is none; a beginning, of what is not over; ends scopes."""
AFFIRMED = "affirmed"
"""Takes a negation back: "no fever, leg edema present"."""
_NUMBERS = frozenset(
    (
        *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
        *("fifteen", "twenty", "thirty", "forty", "fifty"),
    )
)
_REMOVAL = re.compile(r".*(?:ectomy|ectomies)$|resection|excision|removal|extraction")
_MOST_TOKENS = 100_000


@dataclass(frozen=True, slots=True)
class Trigger:
    """A term of the rules.

    Attributes:
        role: a flag, ``pseudo``, ``onset``, ``affirmed`` or ``end``.
        direction: ``forward`` or ``backward``.
        ends: the flags whose scopes it ends.
        closing: counts only at the end of its clause ("fever negative", not "negative workup").
        always: ends a scope even where only fillers lie between ("no other symptoms except for").
        listed: an adjective, which does not end a list that goes on ("denies headaches, new pains, or cough").
    """

    role: str
    direction: str = ""
    ends: frozenset[str] = frozenset()
    closing: bool = False
    always: bool = False
    listed: bool = False


@dataclass(frozen=True, slots=True)
class Term:
    """What a term of the rules says, all its triggers together.

    Attributes:
        says: the triggers that colour mentions, each with whether the term looks both ways for its flag.
        ends: flags whose scopes it ends.
        listed: those that it ends but in a list that goes on.
        ahead: flags that it sets on what follows.
        always: ends scopes even where only fillers lie between.
        onset: a beginning.
        turns: starts another thought, which ends a negated list.
    """

    says: tuple[tuple[Trigger, bool], ...]
    ends: frozenset[str]
    listed: frozenset[str]
    ahead: frozenset[str]
    always: bool
    onset: bool
    turns: bool


@lru_cache(maxsize=10_000)
def make_term(triggers: tuple[Trigger, ...]) -> Term:
    """Put together what all triggers of a term say."""
    said = [t for t in triggers if t.role not in (PSEUDO, ONSET, END)]
    ways = {role: {t.direction for t in said if t.role == role} for role in {t.role for t in said}}
    ends, listed = (
        frozenset(flag for t in triggers if t.role == END and t.listed is kind for flag in t.ends)
        for kind in (False, True)
    )
    ahead = frozenset(t.role for t in said if t.direction == "forward")
    return Term(
        says=tuple((t, len(ways[t.role]) > 1) for t in said),
        ends=_with_means(ends),
        listed=_with_means(listed),
        ahead=ahead,
        always=any(t.always for t in triggers),
        onset=any(t.role == ONSET for t in triggers),
        turns=not ahead.isdisjoint(("hypothetical", "risk", "narrow", "family", "historical")),
    )


def _with_means(flags: frozenset[str]) -> frozenset[str]:
    """Add what means a flag to the flag ended; but lists of risks go on where others end."""
    return flags | {role for role, flag in MEANS.items() if flag in flags and role != "risk"}


@dataclass(slots=True)
class Node:
    """A step into the terms: what a term that ends here says, and where another token leads, by its kind."""

    term: Term | None = None
    onward: dict[str, Node] = field(default_factory=dict)


class Heads(dict[str, Node | None]):
    """The terms that begin with a token, None for most; emptied when it grows too large."""

    def __init__(self, first: Mapping[str, Node]) -> None:
        super().__init__()
        self._first = first

    def __missing__(self, token: str) -> Node | None:
        if len(self) > _MOST_TOKENS:
            self.clear()
        self[token] = node = self._first.get(KINDS[token])
        return node


_CHOICE = re.compile(r"\(([^()]*)\)")


def spelled_out(term: str) -> Iterator[str]:
    """Give the terms that a term with alternatives stands for.

    >>> list(spelled_out("with (his|her|) mother"))
    ['with his mother', 'with her mother', 'with mother']
    """
    choice = _CHOICE.search(term)
    if choice is None:
        yield " ".join(term.split())
        return
    for one in choice.group(1).split("|"):
        yield from spelled_out(term[: choice.start()] + one + term[choice.end() :])


def kind_of(token: str) -> str:
    """Give the kind that a rule names a token by: ``#year``, ``#number``, ``#removal``, or the token itself.

    >>> [kind_of(token) for token in ("1998", "12", "three", "mastectomy", "ago")]
    ['#year', '#number', '#number', '#removal', 'ago']
    """
    if token[0].isdigit():
        return "#year" if len(token) == 4 and token[:2] in ("19", "20") and token.isdigit() else "#number"
    if token in _NUMBERS:
        return "#number"
    return "#removal" if token.endswith(("omy", "omies", "tion", "sion", "val")) and _REMOVAL.match(token) else token


class Kinds(dict[str, str]):
    """Each token's kind, made once; emptied when it grows too large."""

    def __missing__(self, token: str) -> str:
        if len(self) > _MOST_TOKENS:
            self.clear()
        self[token] = kind = kind_of(token)
        return kind


KINDS = Kinds()


@lru_cache(maxsize=10_000)
def _piece_tokens(piece: str) -> tuple[str, ...]:
    return (piece,) if piece.startswith("#") else tuple(map(kind_of, cut(piece).lower))


def term_tokens(term: str) -> tuple[str, ...]:
    """Cut a term as texts are cut, each token by its kind; kinds, such as ``#year``, stay whole."""
    return tuple(chain.from_iterable(map(_piece_tokens, term.split())))

"""The rules of ``context.toml``, and of a user's own file, compiled for `kg.link.context`."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from ehr.errors import InputError
from kg.link.words import cut

FLAGS = (
    *("negated", "historical", "hypothetical", "family"),
    *(
        "resolved",
        "history_of",
        "risk",
        "narrow",
        "ago",
        "post",
        "beside",
        "former",
        "dated",
        "date",
        "initial",
        "removed",
    ),
)
"""What a trigger may say; beyond the four flags, what `kg.link.context` makes of them."""
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
_OWN_KEYS = frozenset(("version", "pseudo", "fillers", "rule", "end", "sections", "headings"))


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


Terms = dict[str, tuple[tuple[int, ...], dict[tuple[str, ...], tuple[Trigger, ...]]]]


@dataclass(frozen=True, slots=True)
class ContextRules:
    """The compiled rules.

    Attributes:
        terms: by a term's first token, the lengths of such terms (longest first) and the terms.
        fillers: words that may stand between a trigger and a word that would end its scope.
        forward, backward: a trigger's reach in tokens.
        again_before, again_after: words beside a finding that is there, though said to be gone before.
        sections: flag by section.
        headings: section by heading.
        lasting, passing, events, removable: concepts of which, and of all below, is said how they go over time.
        lasting_alone: the same as ``lasting``, without those below.
        digest: of all files read.
    """

    terms: Terms
    fillers: frozenset[str]
    forward: int
    backward: int
    again_before: frozenset[str]
    again_after: frozenset[str]
    sections: dict[str, str]
    headings: dict[str, str]
    lasting: tuple[str, ...]
    lasting_alone: tuple[str, ...]
    passing: tuple[str, ...]
    events: tuple[str, ...]
    removable: tuple[str, ...]
    digest: str


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


def _tokens(term: str) -> tuple[str, ...]:
    """Cut a term as texts are cut, each token by its kind; kinds, such as ``#year``, stay whole."""
    return tuple(
        token
        for piece in term.split()
        for token in ((piece,) if piece.startswith("#") else map(kind_of, cut(piece).lower))
    )


@lru_cache(maxsize=8)
def context_rules(own: Path | None = None) -> ContextRules:
    """Read the rules that ship with the package, and those of a user's own file, which add to them.

    Raises:
        InputError: where the user's file is missing or not as it should be.
    """
    raw = files("kg.link").joinpath("context.toml").read_bytes()
    data = tomllib.loads(raw.decode())
    if own is not None:
        extra = read_own(own)
        raw += own.read_bytes()
        for key in ("pseudo", "fillers", "rule", "end"):
            data[key] = [*data[key], *extra.get(key, [])]
        for key in ("sections", "headings"):
            data[key] = {**data[key], **extra.get(key, {})}
    over_time = data["over_time"]
    return ContextRules(
        terms=_terms(data),
        fillers=frozenset(data["fillers"]),
        forward=int(data["reach"]["forward"]),
        backward=int(data["reach"]["backward"]),
        again_before=frozenset(data["again"]["before"]),
        again_after=frozenset(data["again"]["after"]),
        sections=dict(data["sections"]),
        headings={name: section for section, names in data["headings"].items() for name in names},
        lasting=tuple(over_time["lasting"]),
        lasting_alone=tuple(over_time["lasting_alone"]),
        passing=tuple(over_time["passing"]),
        events=tuple(over_time["events"]),
        removable=tuple(over_time["removable"]),
        digest=hashlib.sha256(raw).hexdigest()[:16],
    )


def _terms(data: Mapping[str, Any]) -> Terms:
    """Compile all terms of the rules."""
    triggers: dict[tuple[str, ...], list[Trigger]] = {}

    def add(terms: Iterable[str], trigger: Trigger) -> None:
        for term in terms:
            for one in spelled_out(term):
                held = triggers.setdefault(_tokens(one), [])
                if trigger not in held:
                    held.append(trigger)

    add(data["pseudo"], Trigger(PSEUDO))
    add(data["onset"], Trigger(ONSET))
    for rule in data["rule"]:
        add(rule["terms"], Trigger(rule["flag"], rule["direction"], closing=bool(rule.get("closing"))))
    for end in data["end"]:
        ends = frozenset(end.get("only", FLAGS))
        add(end["terms"], Trigger(END, ends=ends, always=bool(end.get("always")), listed=bool(end.get("listed"))))
    _add_relatives(data["relatives"], add, triggers)
    by_first: dict[str, dict[tuple[str, ...], tuple[Trigger, ...]]] = {}
    for tokens, meant in triggers.items():
        by_first.setdefault(tokens[0], {})[tokens] = tuple(meant)
    return {word: (tuple(sorted({len(k) for k in keys}, reverse=True)), keys) for word, keys in by_first.items()}


def _add_relatives(
    data: Mapping[str, Any],
    add: Callable[[Iterable[str], Trigger], None],
    triggers: Mapping[tuple[str, ...], list[Trigger]],
) -> None:
    """Make relatives triggers, and pseudo triggers where they tell the history or come along.

    What the verb says by itself still counts: "mother denies fever".
    """
    relatives = data["words"]
    for verb in data["tells"]:
        told = [f"{who} {verb}" for who in relatives]
        add(told, Trigger(PSEUDO))
        for trigger in triggers.get(_tokens(verb), ()):
            add(told, trigger)
    add(relatives, Trigger("family", "forward"))
    whose = ["", *(f"{word} " for word in data["possessives"])]
    add((f"{word} {of}{who}" for word in data["beside"] for of in whose for who in relatives), Trigger(PSEUDO))


def read_own(path: Path) -> dict[str, Any]:
    """Read a user's own rules and say what is wrong with them, if anything is."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"cannot be read as context rules ({error})", where=path) from error
    if unknown := sorted(data.keys() - _OWN_KEYS):
        raise InputError(f"unknown key {unknown[0]!r}, expected {', '.join(sorted(_OWN_KEYS))}", where=path)
    for number, rule in enumerate(data.get("rule", []), start=1):
        fits = rule.get("flag") in FLAGS and rule.get("direction") in ("forward", "backward")
        if not fits or not isinstance(rule.get("terms"), list):
            raise InputError(
                f"rule {number}: expected flag ({', '.join(FLAGS)}), direction (forward, backward) and terms",
                where=path,
            )
    for number, end in enumerate(data.get("end", []), start=1):
        if not isinstance(end.get("terms"), list) or not set(end.get("only", ())) <= set(FLAGS):
            raise InputError(f"end {number}: expected terms, and only flags of {', '.join(FLAGS)}", where=path)
    return data

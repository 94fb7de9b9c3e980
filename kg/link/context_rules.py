"""The rules of ``context.toml``, and of a user's own file, compiled for `kg.link.context`."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from ehr.errors import InputError
from kg.link.context_terms import (
    END,
    FLAGS,
    ONSET,
    PSEUDO,
    Heads,
    Node,
    Trigger,
    make_term,
    spelled_out,
    term_tokens,
)

_OWN_KEYS = frozenset(("version", "pseudo", "fillers", "rule", "end", "sections", "headings"))


@dataclass(frozen=True, slots=True)
class ContextRules:
    """The compiled rules.

    Attributes:
        heads: the terms by their first token.
        fillers: words that may stand between a trigger and a word that would end its scope.
        forward, backward: a trigger's reach in tokens.
        short: words for what is soon over.
        goes_on: first words of a sentence that goes on about relatives.
        again_before, again_after: words beside a finding that is there, though said to be gone before.
        sections: flag by section.
        headings: section by heading.
        lasting, passing, events, removable, momentary, complaints: how these concepts and their kinds go over time.
        lasting_alone: the same as ``lasting``, without those below.
        digest: of all files read.
    """

    heads: Heads
    fillers: frozenset[str]
    forward: int
    backward: int
    short: frozenset[str]
    goes_on: frozenset[str]
    again_before: frozenset[str]
    again_after: frozenset[str]
    sections: dict[str, str]
    headings: dict[str, str]
    lasting: tuple[str, ...]
    lasting_alone: tuple[str, ...]
    passing: tuple[str, ...]
    events: tuple[str, ...]
    removable: tuple[str, ...]
    momentary: tuple[str, ...]
    complaints: tuple[str, ...]
    digest: str


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
        heads=Heads(_terms(data)),
        fillers=frozenset(data["fillers"]),
        forward=int(data["reach"]["forward"]),
        backward=int(data["reach"]["backward"]),
        short=frozenset(data["again"]["short"]),
        goes_on=frozenset(data["relatives"]["goes_on"]),
        again_before=frozenset(data["again"]["before"]),
        again_after=frozenset(data["again"]["after"]),
        sections=dict(data["sections"]),
        headings={name: section for section, names in data["headings"].items() for name in names},
        lasting=tuple(over_time["lasting"]),
        lasting_alone=tuple(over_time["lasting_alone"]),
        passing=tuple(over_time["passing"]),
        events=tuple(over_time["events"]),
        removable=tuple(over_time["removable"]),
        momentary=tuple(over_time["momentary"]),
        complaints=tuple(over_time["complaints"]),
        digest=hashlib.sha256(raw).hexdigest()[:16],
    )


def _terms(data: Mapping[str, Any]) -> dict[str, Node]:
    """Compile all terms of the rules, by the kind of their first token."""
    triggers: dict[tuple[str, ...], list[Trigger]] = {}

    def add(terms: Iterable[str], trigger: Trigger) -> None:
        for term in terms:
            for one in spelled_out(term):
                held = triggers.setdefault(term_tokens(one), [])
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
    root = Node()
    for tokens, meant in triggers.items():
        node = root
        for token in tokens:
            node = node.onward.setdefault(token, Node())
        node.term = make_term(tuple(meant))
    return root.onward


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
        for trigger in triggers.get(term_tokens(verb), ()):
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

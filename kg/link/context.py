"""Whether a mention is denied, past, only possible, or of someone else: ConText's rules over ``context.toml``.

Source of the method: H. Harkema, J. N. Dowling, T. Thornblade, W. W. Chapman, "ConText: an algorithm for determining
negation, experiencer, and temporal status from clinical reports", J Biomed Inform 2009.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from ehr.errors import InputError
from kg.link.words import Words, cut

RESOLVED = {"risk": "hypothetical", "narrow": "hypothetical", "ago": "historical", "post": "history_of"}
"""Triggers of a reach of their own, and the flag that they mean."""
FLAGS = ("negated", "historical", "hypothetical", "family", "history_of", *RESOLVED)
"""What a trigger may say; `history_of` is historical for what passes."""
_ONSET = "onset"
"""A beginning: what began three months ago is not over."""
AFFIRMED = "affirmed"
"""Takes a negation back: "no fever, leg edema present"."""
_CLAUSE_ENDS = frozenset(".;,)\n")


@dataclass(frozen=True, slots=True)
class Trigger:
    """A term of the rules.

    Attributes:
        role: a flag, ``pseudo``, ``onset`` or ``end``.
        direction: ``forward`` or ``backward``.
        ends: the flags whose scopes it ends.
        closing: counts only at the end of its clause ("fever negative", not "negative workup").
    """

    role: str
    direction: str = ""
    ends: frozenset[str] = frozenset()
    closing: bool = False


@dataclass(frozen=True, slots=True)
class _Hit:
    """A trigger found in a sentence; token indices, ``last`` included."""

    first: int
    last: int
    triggers: tuple[Trigger, ...]


@dataclass(frozen=True, slots=True)
class ContextRules:
    """The compiled rules: by a term's first token, the lengths of such terms (longest first) and the terms."""

    terms: dict[str, tuple[tuple[int, ...], dict[tuple[str, ...], tuple[Trigger, ...]]]]
    fillers: frozenset[str]
    forward: int
    backward: int
    sections: dict[str, str]
    headings: dict[str, str]
    chronic: tuple[str, ...]
    passing: tuple[str, ...]
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
    triggers: dict[tuple[str, ...], list[Trigger]] = {}

    def add(terms: Iterable[str], trigger: Trigger) -> None:
        for term in terms:
            for one in spelled_out(term):
                key = tuple(cut(one).lower)
                if trigger not in triggers.setdefault(key, []):
                    triggers[key].append(trigger)

    add(data["pseudo"], Trigger("pseudo"))
    add(data["onset"], Trigger(_ONSET))
    _add_relatives(data["relatives"], add)
    for rule in data["rule"]:
        add(rule["terms"], Trigger(rule["flag"], rule["direction"], closing=bool(rule.get("closing"))))
    for end in data["end"]:
        add(end["terms"], Trigger("end", ends=frozenset(end.get("only", FLAGS))))
    by_first: dict[str, dict[tuple[str, ...], tuple[Trigger, ...]]] = {}
    for tokens, meant in triggers.items():
        by_first.setdefault(tokens[0], {})[tokens] = tuple(meant)
    return ContextRules(
        terms={word: (tuple(sorted({len(k) for k in keys}, reverse=True)), keys) for word, keys in by_first.items()},
        fillers=frozenset(data["fillers"]),
        forward=int(data["reach"]["forward"]),
        backward=int(data["reach"]["backward"]),
        sections=dict(data["sections"]),
        headings={name: section for section, names in data["headings"].items() for name in names},
        chronic=tuple(data["chronic"]["roots"]),
        passing=tuple(data["chronic"]["passing"]),
        digest=hashlib.sha256(raw).hexdigest()[:16],
    )


def read_own(path: Path) -> dict[str, Any]:
    """Read a user's own rules and say what is wrong with them, if anything is."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"cannot be read as context rules ({error})", where=path) from error
    known = {"version", "pseudo", "fillers", "rule", "end", "sections", "headings"}
    if unknown := sorted(data.keys() - known):
        raise InputError(f"unknown key {unknown[0]!r}, expected {', '.join(sorted(known))}", where=path)
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


def _add_relatives(data: Mapping[str, Any], add: Callable[[Iterable[str], Trigger], None]) -> None:
    """Make relatives triggers, and pseudo triggers where they tell the history or come along."""
    relatives = data["words"]
    add(relatives, Trigger("family", "forward"))
    add((f"{who} {verb}" for who in relatives for verb in data["tells"]), Trigger("pseudo"))
    whose = ["", *(f"{word} " for word in data["possessives"])]
    add((f"{word} {of}{who}" for word in data["beside"] for of in whose for who in relatives), Trigger("pseudo"))


def flags_of(words: Words, spans: Sequence[tuple[int, int]], rules: ContextRules | None = None) -> list[set[str]]:
    """Give the flags of each mention.

    Args:
        words: the text.
        spans: the mentions as token ranges (first, last), both included, in order.
        rules: where not those of the package.

    Returns:
        A set of flags for each mention; ``history_of`` is for the caller to resolve.
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
        if inside:
            _colour(words.lower, first, end, [(i, spans[i]) for i in inside], found, rules)
    return found


def _colour(
    lower: list[str],
    first: int,
    end: int,
    mentions: list[tuple[int, tuple[int, int]]],
    found: list[set[str]],
    rules: ContextRules,
) -> None:
    """Apply the rules to one sentence."""
    hits = _hits(lower, first, end, mentions, rules)
    begins = [start for _, (start, _) in mentions]
    onset = any(trigger.role == _ONSET for hit in hits for trigger in hit.triggers)
    for position, hit in enumerate(hits):
        for trigger in hit.triggers:
            if trigger.role in ("pseudo", "end", _ONSET) or not _applies(lower, hit, trigger, end):
                continue
            if onset and trigger.role == "ago":
                continue
            if trigger.direction == "forward":
                low, high = hit.last + 1, _scope_end(lower, hits, position, trigger.role, end, rules)
            else:
                low, high = _scope_start(hits, position, trigger.role, first, rules), hit.first
            if trigger.role == AFFIRMED:
                low = max(low, _clause_start(lower, hit.first, low))
            for place in range(bisect_left(begins, low), bisect_left(begins, high)):
                found[mentions[place][0]].add(RESOLVED.get(trigger.role, trigger.role))
    for index, _ in mentions:
        if AFFIRMED in found[index]:
            found[index] -= {AFFIRMED, "negated"}


def _clause_start(lower: list[str], at: int, first: int) -> int:
    """Give the token after the last comma before ``at``."""
    while at > first and lower[at - 1] != ",":
        at -= 1
    return at


def _applies(lower: list[str], hit: _Hit, trigger: Trigger, end: int) -> bool:
    """Say whether a trigger counts: one that may look both ways looks back at the end of its clause, else ahead."""
    both = len({t.direction for t in hit.triggers if t.role == trigger.role}) > 1
    if not both and not trigger.closing:
        return True
    closes = hit.last + 1 >= end or lower[hit.last + 1] in _CLAUSE_ENDS
    return closes == (trigger.direction == "backward")


def _hits(
    lower: list[str], first: int, end: int, mentions: list[tuple[int, tuple[int, int]]], rules: ContextRules
) -> list[_Hit]:
    """Find the triggers of a sentence; a trigger inside a mention is part of its name."""
    covered = {token for _, (start, last) in mentions if lower[start] != "family" for token in range(start, last + 1)}
    hits: list[_Hit] = []
    at = first
    while at < end:
        step = 1
        held = rules.terms.get(lower[at])
        if held is not None:
            for size in held[0]:
                triggers = held[1].get(tuple(lower[at : at + size])) if at + size <= end else None
                if triggers is not None and covered.isdisjoint(range(at, at + size)):
                    hits.append(_Hit(at, at + size - 1, triggers))
                    step = size
                    break
        at += step
    return hits


def _ends(hit: _Hit, role: str) -> bool:
    roles = {role} if role == "risk" else {role, RESOLVED.get(role, role)}  # a list of risks goes on where others end
    return any(trigger.role == "end" and not roles.isdisjoint(trigger.ends) for trigger in hit.triggers)


def _scope_end(lower: list[str], hits: list[_Hit], position: int, role: str, end: int, rules: ContextRules) -> int:
    """Give the token after a forward scope; a word that ends scopes does not where only fillers lie between."""
    here = hits[position]
    limit = min(end, here.last + 1 + rules.forward)
    for later in hits[position + 1 : position + 2 + rules.forward]:
        if later.first >= limit:
            break
        between = lower[here.last + 1 : later.first]
        if _ends(later, role) and not all(word in rules.fillers for word in between):
            return later.first
        if role == "negated" and _turns(later) and not all(word in rules.fillers for word in between):
            return later.first
    return limit


def _turns(hit: _Hit) -> bool:
    """Say whether a trigger starts another thought: a new flag after a negated list."""
    return any(
        t.role in ("hypothetical", "risk", "narrow", "family", "historical") and t.direction == "forward"
        for t in hit.triggers
    )


def _scope_start(hits: list[_Hit], position: int, role: str, first: int, rules: ContextRules) -> int:
    """Give the first token of a backward scope."""
    here = hits[position]
    low = max(first, here.first - rules.backward)
    for earlier in reversed(hits[max(0, position - rules.backward - 1) : position]):
        if earlier.last < low:
            break
        if earlier.last + 1 == here.first and _ends(earlier, role):
            continue
        if _ends(earlier, role) or any(t.role == role and t.direction == "forward" for t in earlier.triggers):
            return earlier.last + 1
    return low

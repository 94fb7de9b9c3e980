"""Abbreviations and words of more than one meaning, told apart by the words near by: ``abbreviations.toml``."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from kg.link.words import Match, Words, normal_word

NEAR = 60
"""Tokens on both sides that are looked at."""


@dataclass(frozen=True, slots=True)
class Sense:
    """One meaning: its terms (best first, none where it is no finding), and words that speak for it."""

    terms: tuple[str, ...]
    near: frozenset[str]
    usual: bool


@dataclass(frozen=True, slots=True)
class Abbreviations:
    """The data file, read once; keys are in lower case, ``cased`` ones count only in capitals."""

    senses: Mapping[str, tuple[Sense, ...]]
    cased: frozenset[str]
    digest: str


@lru_cache(maxsize=1)
def abbreviations() -> Abbreviations:
    """Read the list that ships with the package."""
    raw = files("kg.link").joinpath("abbreviations.toml").read_bytes()
    data = tomllib.loads(raw.decode())
    senses = {
        name.lower(): tuple(
            Sense(
                tuple(str(one.get("concept", "")).split()),
                frozenset(normal_word(word) for word in one["near"]),
                bool(one.get("usual")),
            )
            for one in entries
        )
        for name, entries in data["senses"].items()
    }
    cased = frozenset(name.lower() for name in data["senses"] if name.isupper())
    for name, concept in data["any_case"].items():
        senses[name] = (Sense((concept,), frozenset(), True),)
    return Abbreviations(senses, cased, hashlib.sha256(raw).hexdigest()[:16])


def meaning(senses: Sequence[Sense], around: frozenset[str]) -> Sense | None:
    """Give the sense that most of the words near by speak for, the usual one where none does."""
    best, most = None, 0
    for sense in senses:
        count = len(sense.near & around)
        if count > most or (count == most and sense.usual):
            best, most = sense, count
    return best


def find_abbreviations(
    words: Words, normal: Sequence[str], concepts: frozenset[str], places: Iterable[int]
) -> list[Match]:
    """Give the abbreviations among the tokens at ``places`` that mean a concept of the graph."""
    known = abbreviations()
    found = []
    for at in places:
        token = words.lower[at]
        senses = known.senses.get(token)
        if senses is None:
            continue
        if token in known.cased and not words.raw(at, at).isupper():
            continue
        around = frozenset(normal[max(0, at - NEAR) : at]) | frozenset(normal[at + 1 : at + NEAR])
        sense = meaning(senses, around)
        concept = next((term for term in sense.terms if term in concepts), "") if sense else ""
        if concept:
            found.append(Match(concept, at, at))
    return found

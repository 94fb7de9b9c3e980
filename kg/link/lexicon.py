"""How clinicians write what the ontology names: the data file ``lexicon.toml``."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from kg.link.words import normal_name, normal_word


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The data file ``lexicon.toml``, read once."""

    names: Mapping[str, str]
    stop: frozenset[str]
    phrases: frozenset[str]
    short: int
    adjectives: Mapping[str, str]
    more: tuple[str, ...]
    less: tuple[str, ...]
    endings: tuple[tuple[str, str], ...]
    heads: frozenset[str]
    ordinary: frozenset[str]
    digest: str


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """Read the lexicon that ships with the package."""
    raw = files("kg.link").joinpath("lexicon.toml").read_bytes()
    data = tomllib.loads(raw.decode())
    words = data["words"]
    return Lexicon(
        names=data["names"],
        stop=frozenset(normal_name(name) for name in data["stop"]["names"]),
        phrases=frozenset(normal_name(phrase) for phrase in data["stop"]["phrases"]),
        short=int(data["stop"]["short_abbreviations"]),
        adjectives=data["adjectives"],
        more=tuple(words["more"]),
        less=tuple(words["less"]),
        endings=tuple((noun, adjective) for noun, adjective in words["endings"]),
        heads=frozenset(normal_word(word) for word in data["compounds"]["heads"]),
        ordinary=frozenset(normal_word(word) for word in data["spelling"]["ordinary"]),
        digest=hashlib.sha256(raw).hexdigest()[:16],
    )

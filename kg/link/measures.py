"""Measurements that a note names, with usual limits and the terms beyond them: the data file ``measures.toml``."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from kg.link.words import normal_name

LEVELS = ("high", "low", "abnormal")


@dataclass(frozen=True, slots=True)
class Measure:
    """A measurement; terms are in order of preference, since older graphs lack the newer ones.

    Attributes:
        name: its name in the data file.
        terms: by level (``high``, ``low``, ``abnormal``, ``slight``), concepts.
        below, above: usual limits; None where a number says nothing.
        least, most: a value outside is something else.
        fahrenheit: values above this are degrees Fahrenheit.
        thousands: values above this are given in single cells, not thousands.
        second: limit of the value after the slash (diastolic pressure).
        slight: limit of a slight rise.
        fasting: limit where the note says fasting.
    """

    name: str
    terms: Mapping[str, tuple[str, ...]]
    below: float | None = None
    above: float | None = None
    least: float = 0.0
    most: float = float("inf")
    fahrenheit: float | None = None
    thousands: float | None = None
    second: float | None = None
    slight: float | None = None
    fasting: float | None = None

    def level(self, value: float, second: float | None = None, *, fasting: bool = False) -> str:
        """Give the level that a value means, empty where it is usual or implausible."""
        if self.fahrenheit is not None and value > self.fahrenheit:
            value = (value - 32) * 5 / 9
        if self.thousands is not None and value > self.thousands:
            value /= 1000
        if not self.least <= value <= self.most:
            return ""
        above = self.fasting if fasting and self.fasting is not None else self.above
        if self.below is not None and value < self.below:
            return "low"
        if above is not None and value > above:
            return "high"
        if self.second is not None and second is not None and self.second < second < value:
            return "high"
        return "slight" if self.slight is not None and value >= self.slight else ""

    def term(self, level: str, concepts: Iterable[str]) -> str:
        """Give the first term of a level that the graph has, or nothing."""
        return next((term for term in self.terms.get(level, ()) if term in concepts), "")


@dataclass(frozen=True, slots=True)
class Measures:
    """The data file, read once; names and words are in normal form."""

    by_name: Mapping[str, Measure]
    cased: frozenset[str]
    levels: Mapping[str, str]
    nouns: frozenset[str]
    gaps: frozenset[str]
    ties: frozenset[str]
    breaks: frozenset[str]
    not_units: frozenset[str]
    digest: str


def _measure(name: str, entry: Mapping[str, Any]) -> Measure:
    terms = {level: tuple(str(entry[level]).split()) for level in LEVELS if level in entry}
    if "slightly_high" in entry:
        terms["slight"] = tuple(str(entry["slightly_high"]).split())
    limits = {
        key: entry[key]
        for key in ("below", "above", "least", "most", "fahrenheit", "thousands", "fasting", "slight")
        if key in entry
    }
    return Measure(name, terms, second=entry.get("second_above"), **limits)


@lru_cache(maxsize=1)
def measures() -> Measures:
    """Read the measurements that ship with the package."""
    raw = files("kg.link").joinpath("measures.toml").read_bytes()
    data = tomllib.loads(raw.decode())
    by_name: dict[str, Measure] = {}
    cased: set[str] = set()
    for name, entry in data["measure"].items():
        for phrase in entry["names"]:
            key = normal_name(phrase)
            by_name[key] = _measure(name, entry)
            if phrase != phrase.lower() or len(key) <= 2:
                cased.add(key)
    number = data["number"]
    return Measures(
        by_name=by_name,
        cased=frozenset(cased),
        levels={normal_name(word): level for level in LEVELS for word in data["level"][level]},
        nouns=frozenset(normal_name(word) for word in data["level"]["nouns"]),
        gaps=frozenset(normal_name(word) for word in data["level"]["gaps"]),
        ties=frozenset(number["ties"]),
        breaks=frozenset(number["breaks"]),
        not_units=frozenset(normal_name(word) for word in number["not_units"]),
        digest=hashlib.sha256(raw).hexdigest()[:16],
    )

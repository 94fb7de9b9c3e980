"""What findings are made of: kinds of finding, sites, functions, and words without meaning of their own.

The lists stand in ``parts.toml``. A text, or a name of the ontology, becomes a row of `Unit`: "her left ankle is quite
swollen" and "Ankle swelling" are both the site ankle and the finding swelling.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from typing import Any

from kg.link.words import normal_name


@dataclass(frozen=True, slots=True)
class Unit:
    """A word or phrase of one meaning.

    Attributes:
        key: what it is compared by; equal for words of one meaning.
        site, finding, function: what it names, empty where it names none.
        problem: says only that something is not right ("problem", "disorder").
        unable: says that something cannot be done ("difficulty", "unable to").
        bare: stands for its finding's general term when no site is named.
        part: the lists give it a meaning of the kinds above.
    """

    key: str
    site: str = ""
    finding: str = ""
    function: str = ""
    problem: bool = False
    unable: bool = False
    bare: bool = False

    part: bool = False


@dataclass(frozen=True, slots=True)
class FindingKind:
    """A kind of finding: the terms without a site, the tissue understood, the kind to fall back on, words near by."""

    bare: tuple[str, ...]
    tissue: str
    fallback: str
    near: frozenset[str]


@dataclass(frozen=True, slots=True)
class Parts:
    """The lists of ``parts.toml``, read once."""

    single: Mapping[str, Unit]
    phrases: Mapping[str, tuple[tuple[tuple[str, ...], Unit], ...]]
    gaps: frozenset[str]
    qualifiers: frozenset[str]
    name_only: frozenset[str]
    after: frozenset[str]
    above: Mapping[str, tuple[str, ...]]
    kinds: Mapping[str, FindingKind]
    functions: Mapping[str, tuple[str, ...]]
    systems: Mapping[str, str]
    joints: frozenset[str]
    digest: str


def _units(data: Mapping[str, Any]) -> Iterator[tuple[str, Unit]]:
    """Give each phrase of the lists with what it means."""
    for name, entry in data["site"].items():
        for word in entry["words"]:
            yield word, Unit(f"site {name}", site=name, part=True)
    for name, entry in data["finding"].items():
        bare = entry.get("bare_words", entry["words"] if "bare" in entry else [])
        for word in entry["words"]:
            yield word, Unit(f"finding {name}", finding=name, bare=word in bare, part=True)
    for name, entry in data["function"].items():
        for word in entry["words"]:
            yield word, Unit(f"function {name}", function=name, part=True)
    for word in data["problem"]["words"]:
        yield word, Unit("", problem=True, part=True)
    for word in data["unable"]["words"]:
        yield word, Unit("", unable=True, part=True)
    for name, words in data["same"].items():
        for word in words:
            yield word, Unit(name)


@lru_cache(maxsize=1)
def parts() -> Parts:
    """Read the lists that ship with the package."""
    raw = files("kg.link").joinpath("parts.toml").read_bytes()
    data = tomllib.loads(raw.decode())
    found: dict[str, Unit] = {}
    for phrase, unit in _units(data):
        key = normal_name(phrase)
        held = found.get(key)
        if held is None:
            found[key] = unit if unit.key else replace(unit, key=key)
        elif unit.problem or unit.unable:  # "difficulty" is a problem, and says that something cannot be done
            found[key] = replace(
                held, problem=held.problem or unit.problem, unable=held.unable or unit.unable, part=True
            )
    phrases: dict[str, list[tuple[tuple[str, ...], Unit]]] = {}
    for key, unit in sorted(found.items(), key=lambda item: (-item[0].count(" "), item[0])):
        words = tuple(key.split(" "))
        if len(words) > 1:
            phrases.setdefault(words[0], []).append((words, unit))
    gaps = data["gaps"]
    return Parts(
        single={key: unit for key, unit in found.items() if " " not in key},
        phrases={first: tuple(rows) for first, rows in phrases.items()},
        gaps=frozenset(normal_name(word) for word in gaps["small"]),
        qualifiers=frozenset(normal_name(word) for word in gaps["qualifiers"]),
        name_only=frozenset(normal_name(word) for word in gaps["name_only"]),
        after=frozenset(normal_name(word) for word in data["problem"]["after"]),
        above={
            name: tuple(entry[link] for link in ("kind", "part", "system") if link in entry)
            for name, entry in data["site"].items()
        },
        kinds={
            name: FindingKind(
                tuple(entry.get("bare", "").split()),
                entry.get("tissue", ""),
                entry.get("as", ""),
                frozenset(normal_name(word) for word in entry.get("near", ())),
            )
            for name, entry in data["finding"].items()
        },
        functions={name: tuple(entry["term"].split()) for name, entry in data["function"].items()},
        systems=data["system"],
        joints=frozenset(name for name, entry in data["site"].items() if entry.get("kind") == "joint"),
        digest=hashlib.sha256(raw).hexdigest()[:16],
    )


class Lookup(dict[str, tuple[tuple[tuple[tuple[str, ...], Unit], ...], Unit]]):
    """What may begin with a word: phrases, longest first, and what the word is by itself."""

    def __init__(self, known: Parts) -> None:
        super().__init__()
        self._known = known

    def __missing__(self, word: str) -> tuple[tuple[tuple[tuple[str, ...], Unit], ...], Unit]:
        if len(self) > _MOST_WORDS:
            self.clear()
        self[word] = made = (self._known.phrases.get(word, ()), self._known.single.get(word) or Unit(word))
        return made


_MOST_WORDS = 200_000


def cut_units(words: Sequence[str], lookup: Lookup) -> list[Unit]:
    """Cut a row of normal words, none of them empty, into units, longest phrase first."""
    found: list[Unit] = []
    at, end = 0, len(words)
    while at < end:
        phrases, unit = lookup[words[at]]
        size = 1
        for key, meant in phrases:
            if tuple(words[at : at + len(key)]) == key:
                unit, size = meant, len(key)
                break
        found.append(unit)
        at += size
    return found


def sites_above(site: str, known: Parts) -> Iterator[str]:
    """Give the site and what it belongs to, nearest first: knee, joint, lower limb, limb."""
    queue, seen = [site], {site}
    while queue:
        here = queue.pop(0)
        yield here
        for above in known.above.get(here, ()):
            if above not in seen:
                seen.add(above)
                queue.append(above)

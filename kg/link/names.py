"""The names index: which normalised phrase means which concept."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from ehr.errors import InputError
from ehr.files import atomic_path
from kg.link.words import normal_name, normal_word
from kg.vocabulary import Category, Predicate

if TYPE_CHECKING:
    from kg.bundle import Bundle

FORMAT = 6
"""Version of the compiled index; a change makes older caches unused."""

PHENOTYPE_ROOT = "HP:0000118"
LINKED_CATEGORIES = (Category.DRUG, Category.EXPOSURE, Category.PROCEDURE)
MAX_WORDS = 8
_RANKS = {"exact": 1, "narrow": 3, "related": 3, "broad": 4}
_VARIANT = 5
STOPPED = 9
"""Rank of a name that is not searched for: its words mean too much else; its concept can still be found."""
_MEASURE_WORDS = ("circulating", "concentration", "level", "serum", "activity")
_PLAUSIBLE_ABBREVIATION = 5


@dataclass(frozen=True, slots=True)
class Name:
    """A phrase in normal form and the concept it means.

    Attributes:
        key: words' normal forms joined by blanks.
        concept: CURIE.
        rank: 0 for a preferred name, larger for weaker synonyms and generated variants; see `STOPPED`.
        cased: True where the note must have it in capitals.
    """

    key: str
    concept: str
    rank: int
    cased: bool


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


def load_names(bundle: Bundle) -> tuple[list[Name], frozenset[str]]:
    """Give the names of a bundle and every word that its names and definitions use.

    The compiled lists are kept as Parquet under ``index/`` in the bundle's directory, keyed by the bundle's hash; where
    that place cannot be written, they are compiled anew each time.
    """
    stem = f"{bundle.hash[:16]}-{lexicon().digest}-{FORMAT}"
    names_path = Path(bundle.path) / "index" / f"names-{stem}.parquet"
    words_path = Path(bundle.path) / "index" / f"words-{stem}.parquet"
    if names_path.exists() and words_path.exists():
        frame = pl.read_parquet(names_path)
        return [Name(*row) for row in frame.iter_rows()], frozenset(pl.read_parquet(words_path)["word"])
    names = compile_names(bundle)
    words = known_words(bundle)
    table = pl.DataFrame(
        [(n.key, n.concept, n.rank, n.cased) for n in names],
        schema={"key": pl.String, "concept": pl.String, "rank": pl.Int64, "cased": pl.Boolean},
        orient="row",
    )
    _cache(names_path, table)
    _cache(words_path, pl.DataFrame({"word": sorted(words)}, schema={"word": pl.String}))
    return names, words


def _cache(path: Path, table: pl.DataFrame) -> None:
    """Write a cache file where that is possible; a read-only bundle is used all the same."""
    try:
        with atomic_path(path) as temporary:
            table.write_parquet(temporary)
    except InputError:
        return


def collected(frame: pl.LazyFrame | pl.DataFrame) -> pl.DataFrame:
    """Give the rows of a table that may be lazy."""
    return frame.collect() if isinstance(frame, pl.LazyFrame) else frame


def parents_of(bundle: Bundle) -> dict[str, tuple[str, ...]]:
    """Give the direct ``subclass_of`` parents of every HPO term."""
    rows = collected(bundle.statements).filter(
        (pl.col("predicate") == Predicate.SUBCLASS_OF.value)
        & ~pl.col("negated")
        & pl.col("subject").str.starts_with("HP:")
    )
    grouped: dict[str, list[str]] = {}
    for subject, object_ in rows.select("subject", "object").sort("subject", "object").iter_rows():
        grouped.setdefault(subject, []).append(object_)
    return {child: tuple(found) for child, found in grouped.items()}


def ancestors_of(concept: str, parents: Mapping[str, Iterable[str]]) -> set[str]:
    """Give all concepts above ``concept``, itself included; cycles do no harm."""
    seen = {concept}
    stack = [concept]
    while stack:
        for parent in parents.get(stack.pop(), ()):
            if parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return seen


def descendants_of(roots: Iterable[str], parents: Mapping[str, Iterable[str]]) -> set[str]:
    """Give all concepts below ``roots``, the roots included."""
    children: dict[str, list[str]] = {}
    for child, above in parents.items():
        for parent in above:
            children.setdefault(parent, []).append(child)
    seen = set(roots)
    stack = list(seen)
    while stack:
        for child in children.get(stack.pop(), ()):
            if child not in seen:
                seen.add(child)
                stack.append(child)
    return seen


def compile_names(bundle: Bundle) -> list[Name]:
    """Collect all names that notes are searched for, one concept a phrase, sorted by phrase."""
    concepts = collected(bundle.concepts).filter(~pl.col("deprecated"))
    parents = parents_of(bundle)
    linked = _linked_concepts(concepts, parents)
    synonyms = collected(bundle.synonyms).filter(pl.col("concept").is_in(sorted(linked)))
    raw: list[Name] = []
    rows = concepts.filter(pl.col("id").is_in(sorted(linked))).select("id", "name").sort("id")
    for concept, name in rows.iter_rows():
        raw.extend(_names_of(concept, name, 0, ""))
    chosen = synonyms.select("concept", "text", "scope", "kind").sort("concept", "text", "scope", "kind")
    for concept, text, scope, kind in chosen.iter_rows():
        raw.extend(_names_of(concept, text, _RANKS.get((scope or "exact").lower(), 3), kind or ""))
    own = [
        Name(normal_name(phrase), concept, 0, phrase.isupper())
        for phrase, concept in sorted(lexicon().names.items())
        if concept in linked
    ]
    return _resolve(raw, own, parents)


def _linked_concepts(concepts: pl.DataFrame, parents: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Choose what notes are searched for: phenotypic abnormalities, the bridge's concepts, the candidate diseases."""
    ids = set(concepts["id"])
    phenotypes = {c for c in ids if c.startswith("HP:")}
    if PHENOTYPE_ROOT in ids:
        phenotypes &= descendants_of([PHENOTYPE_ROOT], parents) - {PHENOTYPE_ROOT}
    kinds = pl.col("category").is_in([c.value for c in LINKED_CATEGORIES])
    others = concepts.filter(kinds & ~pl.col("id").str.starts_with("ICD"))["id"]
    candidates = {c for c in ids if c.startswith("CCS:")}
    return phenotypes | set(others) | candidates


def _names_of(concept: str, text: str, rank: int, kind: str) -> Iterator[Name]:
    """Give a name in normal form where it is fit to be searched for."""
    words = lexicon()
    plain = text.split(" (")[0].strip() if concept.startswith("HP:") else text.strip()
    key = normal_name(plain)
    size = key.count(" ") + 1
    letters = [c for c in plain if c.isalpha()]
    abbreviation = "abbreviation" in kind or (
        size == 1 and 1 < len(letters) <= _PLAUSIBLE_ABBREVIATION and all(c.isupper() for c in letters)
    )
    if abbreviation and len(letters) <= words.short and concept.startswith("HP:"):
        return
    if len(key.replace(" ", "")) < 3 or size > MAX_WORDS or key.isdigit():
        return
    if key in words.stop:
        yield Name(key, concept, STOPPED, False)
        return
    if rank == _RANKS["broad"] and size == 1 and "layperson" not in kind:
        return
    yield Name(key, concept, rank, abbreviation and plain.isupper())


def _resolve(raw: list[Name], own: list[Name], parents: Mapping[str, tuple[str, ...]]) -> list[Name]:
    """Keep one concept a phrase: a name or exact synonym, else the lexicon's, else the best-ranked synonym."""
    best: dict[str, list[Name]] = {}
    for name in raw:
        held = best.setdefault(name.key, [])
        if not held or name.rank < held[0].rank:
            best[name.key] = [name]
        elif name.rank == held[0].rank and all(name.concept != other.concept for other in held):
            held.append(name)
    chosen = {key: _general(group, parents) for key, group in best.items()}
    for name in own:
        known = chosen.get(name.key)
        if known is None or known.rank > 0 or known.concept.startswith("CCS:"):
            chosen[name.key] = name
    for name in list(chosen.values()):
        halves = name.key.split(" and ")
        if len(halves) == 2 and all(half in chosen for half in halves) and name.key in best:
            del chosen[name.key]
    variants: dict[str, set[str]] = {}
    for name in chosen.values():
        if not name.cased and name.rank != STOPPED:
            for variant in variants_of(name.key):
                variants.setdefault(variant, set()).add(name.concept)
    stop = lexicon().stop
    for key, concepts in variants.items():
        if key not in chosen and len(concepts) == 1 and key not in stop:
            chosen[key] = Name(key, min(concepts), _VARIANT, False)
    return [chosen[key] for key in sorted(chosen)]


def _general(group: list[Name], parents: Mapping[str, tuple[str, ...]]) -> Name:
    """Choose among concepts of equal rank: ontology before bridge before candidate, then the one above the others."""
    if len(group) == 1:
        return group[0]
    order = {"HP": 0, "CCS": 2}

    def place(name: Name) -> tuple[int, int, str]:
        below = sum(name.concept in ancestors_of(other.concept, parents) for other in group)
        return (order.get(name.concept.split(":")[0], 1), -below, name.concept)

    return min(group, key=place)


def variants_of(key: str) -> Iterator[str]:
    """Give other ways to say a name that cannot change its meaning.

    >>> sorted(variants_of("abdominal pain"))
    ['abdomen pain', 'pain in abdomen', 'pain of abdomen']
    >>> sorted(variants_of("hypotension"))
    ['hypotensive']
    """
    words = lexicon()
    parts = key.split(" ")
    if len(parts) == 2 and parts[0] in words.adjectives:
        noun = words.adjectives[parts[0]]
        yield from (f"{parts[1]} in {noun}", f"{parts[1]} of {noun}")
        if noun != parts[0]:
            yield f"{noun} {parts[1]}"
    elif len(parts) == 3 and parts[1] in ("of", "in"):
        yield f"{parts[2]} {parts[0]}"
    if len(parts) == 1:
        for noun_end, adjective_end in words.endings:
            if key.endswith(noun_end) and len(key) > len(noun_end) + 2:
                yield key.removesuffix(noun_end) + adjective_end
    yield from _measurement_variants(parts)


def _measurement_variants(parts: list[str]) -> Iterator[str]:
    """Say ``elevated circulating X concentration`` in the ways of the ward: high X, X elevated, raised X level."""
    words = lexicon()
    for group in (words.more, words.less):
        if parts[0] not in group or not 2 <= len(parts) <= 4:
            continue
        rest = [
            part for part in parts[1:] if part not in ("circulating", "concentration", "level", "serum", "activity")
        ]
        if not rest or len(" ".join(rest)) < 4:
            return
        subject = " ".join(rest)
        for word in group:
            yield f"{word} {subject}"
            yield f"{word} {subject} level"
            if len(rest) < len(parts) - 1:
                yield f"{subject} {word}"


def known_words(bundle: Bundle) -> frozenset[str]:
    """Give the normal form of every word in the bundle's names and definitions: none of them is a misspelling."""
    texts: set[str] = set()
    concepts = collected(bundle.concepts).select("name", "definition")
    for column in (concepts["name"], concepts["definition"], collected(bundle.synonyms)["text"]):
        pieces = column.drop_nulls().str.to_lowercase().str.extract_all(r"[a-z]{3,}").explode().drop_nulls().unique()
        texts.update(pieces)
    return frozenset(normal_word(word) for word in texts)

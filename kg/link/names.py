"""The names index: which normalised phrase means which concept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from kg.link.cache import kept_table
from kg.link.hierarchy import ancestors_of, collected, descendants_of, parents_of
from kg.link.lexicon import lexicon
from kg.link.words import normal_name, normal_word
from kg.vocabulary import Category

if TYPE_CHECKING:
    from kg.bundle import Bundle

FORMAT = 7
"""Version of the compiled index; a change makes older caches unused."""
_NAMES = {"key": pl.String, "concept": pl.String, "rank": pl.Int64, "cased": pl.Boolean}
_WORDS = {"word": pl.String}

PHENOTYPE_ROOT = "HP:0000118"
LINKED_CATEGORIES = (Category.DRUG, Category.EXPOSURE, Category.PROCEDURE)
MAX_WORDS = 8
_RANKS = {"exact": 1, "narrow": 3, "related": 3, "broad": 4}
_VARIANT = 5
STOPPED = 9
"""Rank of a name that is not searched for: its words mean too much else; its concept can still be found."""
_MEASURE_WORDS = ("circulating", "concentration", "level", "serum", "activity")
_PLAUSIBLE_ABBREVIATION = 5


class Name(NamedTuple):
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


def load_names(bundle: Bundle) -> tuple[list[Name], frozenset[str]]:
    """Give the names of a bundle and every word that its names and definitions use; see `kg.link.cache`."""
    key = f"{lexicon().digest}-{FORMAT}"
    frame = kept_table(bundle, "names", key, lambda: _table(compile_names(bundle)))
    words = kept_table(bundle, "words", key, lambda: pl.DataFrame({"word": sorted(known_words(bundle))}, schema=_WORDS))
    columns = (frame[column].to_list() for column in _NAMES)
    return list(map(Name._make, zip(*columns, strict=True))), frozenset(words["word"].to_list())


def _table(names: list[Name]) -> pl.DataFrame:
    return pl.DataFrame(names, schema=_NAMES, orient="row")


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
        rest = [part for part in parts[1:] if part not in _MEASURE_WORDS]
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

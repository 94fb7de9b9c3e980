"""Finds concepts by words, tolerant of typing errors, over names and synonyms.

An inverted index of words; a word of the query also stands for those that begin with it and for those that are near by
trigrams and edit distance. A name's score is how much of the query it covers and how much of it the query covers, rare
words counting more (inverse document frequency).
"""

from __future__ import annotations

import json
import math
import unicodedata
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import polars as pl

from kg.bundle import Bundle
from kg.readers.curies import normalise
from kg.schema import Schema

_MIN_DICE = 0.25
_CANDIDATES = 60
_PREFIX_SIMILARITY = 0.85
_PER_EDIT = 0.18


@dataclass(frozen=True, slots=True)
class Hit:
    """A concept that answers a search.

    Attributes:
        matched: the name or synonym that the words matched.
        score: 1.0 for the exact name or id, less for less.
    """

    id: str
    name: str
    category: str
    source: str
    matched: str
    score: float


def words_of(text: str) -> list[str]:
    """Split into lower-case words without accents and plural endings.

    >>> words_of("Sjögren's syndromes")
    ['sjogren', 's', 'syndrome']
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
    return [_singular(word) for word in "".join(c if c.isalnum() else " " for c in plain).split()]


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 4 and word.endswith("s") and word[-2] not in "sui" else word


def edit_distance(a: str, b: str, limit: int) -> int:
    """Count insertions, deletions, replacements and swaps of neighbours; ``limit + 1`` where it takes more."""
    if abs(len(a) - len(b)) > limit:
        return limit + 1
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        row = [i]
        for j, y in enumerate(b, start=1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return limit + 1
        before, last = last, row
    return min(last[-1], limit + 1)


def id_of(words: str) -> str | None:
    """Give the id that a search may mean, as the graph spells it: one word, with a colon or of ICD-10-CM."""
    text = words.strip()
    if not text or any(c.isspace() for c in text):
        return None
    return normalise(text) if ":" in text else f"ICD10CM:{normalise('ICD10CM:' + text).partition(':')[2]}"


class Named(Protocol):
    """Whatever has names of concepts: a `Bundle`, or what was read from a store."""

    @property
    def concepts(self) -> pl.LazyFrame:
        """Columns ``id``, ``name``, ``category``, ``source``, ``deprecated``, ``equivalents``."""
        ...

    @property
    def synonyms(self) -> pl.LazyFrame:
        """Columns ``concept``, ``text``."""


@dataclass(frozen=True, slots=True)
class NamedConcepts:
    """Names of concepts in memory; see `Named`."""

    concepts: pl.LazyFrame
    synonyms: pl.LazyFrame

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, object]]) -> NamedConcepts:
        """Take rows with the keys of `Named.concepts` and ``synonyms``, a list."""
        held = list(rows)
        concepts = pl.DataFrame(
            [[row[key] for key in _CONCEPT_COLUMNS] for row in held], _CONCEPT_COLUMNS, orient="row"
        )
        synonyms = pl.DataFrame(
            [(row["id"], text) for row in held for text in _texts(row["synonyms"])],
            {"concept": pl.String, "text": pl.String},
            orient="row",
        )
        return cls(concepts.lazy(), synonyms.lazy())


_CONCEPT_COLUMNS: Schema = {
    "id": pl.String,
    "name": pl.String,
    "category": pl.String,
    "source": pl.String,
    "deprecated": pl.Boolean,
    "equivalents": pl.List(pl.String),
}


def _texts(value: object) -> list[object]:
    return value if isinstance(value, list) else []


@dataclass(frozen=True, slots=True)
class WordCounts:
    """How many names there are, and in how many of them the most frequent words stand.

    With it a part of the concepts is ranked as the whole would be. A word that is not listed counts as one that stands
    in a single name.
    """

    names: int
    counts: Mapping[str, int]

    @classmethod
    def of(cls, batches: Iterable[pl.DataFrame], most: int = 20_000) -> WordCounts:
        """Count over batches with the columns ``name`` and ``synonyms`` (a list without repeats)."""
        total = 0
        counts = pl.DataFrame(schema={"word": pl.String, "n": pl.Int64})
        for batch in batches:
            own, others = batch.select(text="name"), batch.select(text="synonyms").explode("text").drop_nulls()
            texts = pl.concat([own, others])
            total += texts.height
            words = texts.select(word=_words("text").list.unique()).explode("word", empty_as_null=False)
            found = words.group_by("word").agg(n=pl.len().cast(pl.Int64))
            counts = pl.concat([counts, found]).group_by("word").agg(pl.col("n").sum())
        kept = counts.filter(pl.col("n") > 1).sort("n", "word", descending=[True, False]).head(most)
        return cls(total, dict(kept.iter_rows()))

    def packed(self) -> bytes:
        """Give it as a few bytes, for a store to keep."""
        return zlib.compress(json.dumps([self.names, dict(self.counts)], ensure_ascii=False).encode(), 6)

    @classmethod
    def unpacked(cls, packed: bytes | None) -> WordCounts:
        """Read `packed` back; without it no word is known."""
        names, counts = json.loads(zlib.decompress(packed)) if packed else (1, {})
        return cls(names, counts)


class ConceptIndex:
    """The words of all names; it takes half a second to make for 170,000 names, and 20 ms to ask."""

    def __init__(self, bundle: Named, whole: WordCounts | None = None) -> None:
        """Index names.

        Args:
            bundle: the names.
            whole: where these are only some of the names, how frequent words are in all.
        """
        concepts = bundle.concepts.select(*_CONCEPT_COLUMNS).collect()
        synonyms = bundle.synonyms.select(id="concept", text="text").unique(maintain_order=True).collect()
        names = [
            concepts.select("id", text="name", own=pl.lit(True)),
            synonyms.select("id", "text", own=pl.lit(False)),
        ]
        self._concepts = concepts
        self._names = pl.concat(names).with_row_index("name_id")
        words = self._names.select("name_id", word=_words("text").list.unique(maintain_order=True))
        self._postings = words.explode("word", empty_as_null=False)
        counts = self._postings.group_by("word").len("n")
        self._total = self._names.height
        if whole is not None:
            self._total = max(whole.names, self._total)
            known = pl.DataFrame({"word": [*whole.counts], "n": [*whole.counts.values()]}, dict(counts.schema))
            counts = pl.concat([counts, known]).group_by("word").agg(pl.col("n").max())
        self._vocabulary = counts.with_columns(idf=(pl.lit(float(self._total)) / pl.col("n")).log() + 1.0)
        self._grams = _grams(self._vocabulary["word"])
        self._weights = (
            self._postings.join(self._vocabulary, on="word").group_by("name_id").agg(whole=pl.col("idf").sum())
        )

    def search(self, words: str, limit: int = 20) -> list[Hit]:
        """Give the best concepts, best first; see `search_concepts`."""
        queries = list(dict.fromkeys(words_of(words)))
        by_id = self._by_id(words)
        if not queries:
            return by_id[:limit]
        matches = pl.concat([self._match(word, position) for position, word in enumerate(queries)])
        scored = self._score(matches, queries, " ".join(words_of(words)))
        best = scored.sort("score", "own", "length", "id", "matched", descending=[True, True, False, False, False])
        best = best.unique("id", keep="first", maintain_order=True).head(limit)
        found = [Hit(**row) for row in best.select("id", "name", "category", "source", "matched", "score").to_dicts()]
        seen = {hit.id for hit in by_id}
        return [*by_id, *(hit for hit in found if hit.id not in seen)][:limit]

    def _by_id(self, words: str) -> list[Hit]:
        wanted = id_of(words)
        if wanted is None:
            return []
        own = pl.col("id") == wanted
        rows = self._concepts.filter(own | pl.col("equivalents").list.contains(wanted)).sort(~own, "id").to_dicts()
        return [Hit(r["id"], r["name"], r["category"], r["source"], wanted, 1.0) for r in rows]

    def _match(self, query: str, position: int) -> pl.DataFrame:
        """Give the index's words that ``query`` may mean, with similarity in (0, 1]."""
        found = {query: 1.0}
        begins = pl.col("word").str.starts_with(query)
        if len(query) >= 3:
            for word in self._vocabulary.filter(begins)["word"]:
                found.setdefault(word, _PREFIX_SIMILARITY * math.sqrt(len(query) / len(word)))
            for word, similarity in self._fuzzy(query):
                found[word] = max(found.get(word, 0.0), similarity)
        frame = pl.DataFrame({"word": list(found), "similarity": list(found.values())})
        return frame.join(self._vocabulary.select("word", "idf"), on="word").with_columns(query=pl.lit(position))

    def _fuzzy(self, query: str) -> list[tuple[str, float]]:
        grams = _grams(pl.Series([query])).select("gram")
        shared = self._grams.join(grams, on="gram").group_by("word").len("shared")
        dice = 2 * pl.col("shared") / (pl.col("word").str.len_chars() + 2 + grams.height)
        close = shared.with_columns(dice=dice).filter(pl.col("dice") >= _MIN_DICE)
        limit = 1 if len(query) <= 5 else 2 if len(query) <= 9 else 3
        found = []
        for word in close.sort("dice", "word", descending=[True, False]).head(_CANDIDATES)["word"]:
            edits = edit_distance(query, word, limit)
            if 0 < edits <= limit:
                found.append((word, 1.0 - _PER_EDIT * edits))
        return found

    def _score(self, matches: pl.DataFrame, queries: list[str], whole_query: str) -> pl.DataFrame:
        rarest = math.log(self._total) + 1.0
        # A query word weighs what its best match weighs; one without a match as much as the rarest word.
        weights = matches.sort("similarity", "idf", descending=True).unique("query", keep="first", maintain_order=True)
        weights = weights.select("query", important="idf")
        total = float(weights["important"].sum()) + rarest * (len(queries) - weights.height)
        hits = matches.join(weights, on="query").join(self._postings, on="word")
        hits = hits.sort("name_id", "query", "similarity", "word", descending=[False, False, True, False])
        hits = hits.unique(["name_id", "query"], keep="first", maintain_order=True)
        scores = hits.group_by("name_id").agg(
            covers=(pl.col("similarity") * pl.col("important")).sum() / total,
            covered=pl.col("idf").sum(),
        )
        scores = scores.join(self._weights, on="name_id").join(self._names, on="name_id")
        covered = (pl.col("covered") / pl.col("whole")).clip(0.0, 1.0)
        scores = scores.with_columns(score=pl.col("covers").pow(1.5) * (0.55 + 0.45 * covered), matched="text")
        scores = scores.filter(pl.col("score") > 0.1).join(self._concepts, on="id")
        obsolete = pl.when("deprecated").then(0.7).otherwise(1.0)
        own = pl.when("own").then(1.0).otherwise(0.99)
        exact = _words("text").list.join(" ") == whole_query
        score = pl.when(exact).then(pl.lit(1.0)).otherwise(pl.col("score").clip(0.0, 1.0) * 0.98) * own * obsolete
        return scores.with_columns(score=score.round(4), length=pl.col("text").str.len_chars())


def _words(column: str) -> pl.Expr:
    """`words_of` as a polars expression."""
    plain = pl.col(column).str.to_lowercase().str.normalize("NFKD").str.replace_all(r"\p{M}", "")
    words = plain.str.extract_all(r"[\p{L}\p{N}]+")
    return words.list.eval(
        pl.when((pl.element().str.len_chars() > 4) & pl.element().str.contains(r"[^sui]s$"))
        .then(pl.element().str.slice(0, pl.element().str.len_chars() - 1))
        .otherwise(pl.element())
    )


def _grams(words: pl.Series) -> pl.DataFrame:
    """Give the distinct trigrams of each word, its beginning and end marked: columns ``word`` and ``gram``."""
    padded = pl.DataFrame({"word": words}).with_columns(padded=pl.lit("^^") + pl.col("word") + pl.lit("$"))
    parts = []
    start = 0
    while padded.height:
        parts.append(padded.select("word", gram=pl.col("padded").str.slice(start, 3)))
        start += 1
        padded = padded.filter(pl.col("padded").str.len_chars() >= start + 3)
    return pl.concat(parts).unique() if parts else pl.DataFrame(schema={"word": pl.String, "gram": pl.String})


@lru_cache(maxsize=2)
def _index(path: Path, hash_: str) -> ConceptIndex:
    del hash_  # part of the key: a rebuilt bundle gets a new index
    return ConceptIndex(Bundle.open(path))


def search_concepts(bundle: Bundle, words: str, limit: int = 20) -> list[Hit]:
    """Find concepts by name, synonym or id.

    Args:
        bundle: where to search.
        words: any words, with typing errors and beginnings of words; or an id (``HP:0001945``, ``N17.9``).
        limit: at most so many, best first; equal scores by shorter name, then id.
    """
    return _index(bundle.path, bundle.hash).search(words, limit)

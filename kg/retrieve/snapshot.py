"""The graph as arrays: a typed, directed, weighted CSR that every machine reads alike.

Deprecated concepts and negated statements are left out: "this disease does not show that" supports nothing. The files
are `kg.retrieve.snapshot_files`'.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kg.retrieve.information import information_content
from kg.vocabulary import Category, Predicate

if TYPE_CHECKING:
    from kg.bundle import Bundle

CATEGORIES = tuple(Category)
PREDICATES = tuple(Predicate)

Positions = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A graph as arrays; ``n`` concepts, ``m`` statements. Arrays may be memory-mapped.

    Attributes:
        id_bytes: the CURIEs in UTF-8, one after the other, sorted.
        id_ends: where each begins and the last one ends, shape ``(n + 1,)``.
        categories: index into `CATEGORIES`, shape ``(n,)``.
        indptr: the statements of subject ``i`` lie at ``indptr[i]:indptr[i + 1]``, shape ``(n + 1,)``.
        targets: object of each statement, shape ``(m,)``.
        predicates: index into `PREDICATES`, shape ``(m,)``.
        weights: in [0, 1], shape ``(m,)``.
        statements: ids, ASCII bytes, shape ``(m,)``.
        incoming_indptr: as ``indptr``, for objects, shape ``(n + 1,)``.
        incoming: the statements by object: their places in the arrays above, shape ``(m,)``.
        information: information content of each concept in [0, 1], shape ``(n,)``; 1 where nothing is known of it.
    """

    id_bytes: NDArray[np.uint8]
    id_ends: NDArray[np.int64]
    categories: NDArray[np.int8]
    indptr: NDArray[np.int64]
    targets: NDArray[np.int32]
    predicates: NDArray[np.int8]
    weights: NDArray[np.float64]
    statements: NDArray[np.bytes_]
    incoming_indptr: NDArray[np.int64]
    incoming: NDArray[np.int32]
    information: NDArray[np.float64]

    def __len__(self) -> int:
        """Give the number of concepts."""
        return len(self.categories)

    @property
    def nbytes(self) -> int:
        """Size of all arrays."""
        return sum(int(getattr(self, field.name).nbytes) for field in fields(self))

    def id(self, place: int) -> str:
        """Give the CURIE of a concept."""
        return self.id_bytes[self.id_ends[place] : self.id_ends[place + 1]].tobytes().decode()

    def place(self, identifier: str) -> int | None:
        """Find a concept by bisection; None where the graph does not have it."""
        wanted = identifier.encode()
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self.id_bytes[self.id_ends[middle] : self.id_ends[middle + 1]].tobytes() < wanted:
                low = middle + 1
            else:
                high = middle
        return low if low < len(self) and self.id(low) == identifier else None

    def of_category(self, *categories: Category) -> Positions:
        """Give the places of all concepts of these categories."""
        return np.flatnonzero(np.isin(self.categories, [CATEGORIES.index(category) for category in categories]))

    def out_edges(self, places: Positions | list[int]) -> Positions:
        """Give the statements whose subject is one of ``places``, in that order."""
        return ranges(self.indptr, np.asarray(places, dtype=np.int64))

    def in_edges(self, places: Positions | list[int]) -> Positions:
        """Give the statements whose object is one of ``places``, in that order."""
        return self.incoming[ranges(self.incoming_indptr, np.asarray(places, dtype=np.int64))].astype(np.int64)

    def subjects(self, edges: Positions) -> Positions:
        """Give the subject of each of these statements."""
        found: Positions = np.searchsorted(self.indptr, edges, side="right") - 1
        return found


def ranges(indptr: NDArray[np.int64], rows: Positions) -> Positions:
    """Give the entries of CSR rows, one row after the other."""
    begins, ends = indptr[rows], indptr[rows + 1]
    lengths = ends - begins
    total = int(lengths.sum())
    if not total:
        return np.zeros(0, dtype=np.int64)
    shifts: Positions = np.repeat(begins - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
    return np.arange(total, dtype=np.int64) + shifts


def make_snapshot(bundle: Bundle) -> Snapshot:
    """Turn the bundle's concepts and statements into arrays."""
    return snapshot_of(bundle.concepts, bundle.statements)


def snapshot_of(concepts: pl.LazyFrame, statements: pl.LazyFrame) -> Snapshot:
    """Turn tables with the bundle's columns into arrays."""
    kept = concepts.filter(~pl.col("deprecated")).select("id", "category").sort("id").collect()
    places = kept.select("id").with_row_index("place")
    categories = {category.value: index for index, category in enumerate(CATEGORIES)}
    predicates = {predicate.value: index for index, predicate in enumerate(PREDICATES)}
    rows = (
        statements.filter(~pl.col("negated") & pl.col("predicate").is_in(list(predicates)))
        .select(
            "subject",
            "object",
            "id",
            pl.col("weight").cast(pl.Float64).clip(0.0, 1.0),
            kind=pl.col("predicate").replace_strict(predicates, default=None, return_dtype=pl.Int8),
        )
        .collect()
    )
    rows = (
        rows.join(places.rename({"id": "subject", "place": "source"}), on="subject", how="inner")
        .join(places.rename({"id": "object", "place": "target"}), on="object", how="inner")
        .drop("subject", "object")
        .filter(pl.col("source") != pl.col("target"))
        .sort("source", "kind", "target", "id")
    )
    n = kept.height
    sources = rows["source"].to_numpy().astype(np.int64)
    targets = rows["target"].to_numpy().astype(np.int32)
    kinds = rows["kind"].to_numpy().astype(np.int8)
    encoded = [identifier.encode() for identifier in kept["id"].to_list()]
    hierarchy = kept["id"].str.starts_with("HP:").to_numpy()
    return Snapshot(
        id_bytes=np.frombuffer(b"".join(encoded), dtype=np.uint8),
        id_ends=np.concatenate([[0], np.cumsum([len(one) for one in encoded])]).astype(np.int64),
        categories=np.array([categories.get(c, len(CATEGORIES) - 1) for c in kept["category"]], dtype=np.int8),
        indptr=pointers(sources, n),
        targets=targets,
        predicates=kinds,
        weights=rows["weight"].to_numpy().astype(np.float64),
        statements=np.array(rows["id"].to_list(), dtype=np.bytes_),
        incoming_indptr=pointers(targets, n),
        incoming=np.argsort(targets, kind="stable").astype(np.int32),
        information=information_content(
            hierarchy,
            sources,
            targets,
            kinds == PREDICATES.index(Predicate.SUBCLASS_OF),
            kinds == PREDICATES.index(Predicate.HAS_PHENOTYPE),
        ),
    )


def pointers(ends: NDArray[np.integer], n: int) -> NDArray[np.int64]:
    """Give where the entries of each of ``n`` rows begin, and where the last row ends."""
    return np.concatenate([[0], np.cumsum(np.bincount(ends, minlength=n))]).astype(np.int64)

"""The graph as arrays: a typed, directed, weighted CSR that every machine reads alike.

The arrays lie as ``.npy`` files under ``csr/`` in the bundle's directory, keyed by the bundle's hash, and are
memory-mapped. Deprecated concepts and negated statements are left out: "this disease does not show that" supports
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from ehr.errors import InputError
from ehr.files import atomic_directory
from kg.vocabulary import Category, Predicate

if TYPE_CHECKING:
    from kg.bundle import Bundle

FORMAT = 1
"""Version of the arrays; a change makes older ones unused."""

CATEGORIES = tuple(Category)
PREDICATES = tuple(Predicate)
_ARRAYS = ("ids", "categories", "indptr", "targets", "predicates", "weights", "statements", "information")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A graph as arrays; ``n`` concepts, ``m`` statements.

    Attributes:
        ids: CURIEs, sorted, shape ``(n,)``.
        categories: index into `CATEGORIES`, shape ``(n,)``.
        indptr: the statements of subject ``i`` lie at ``indptr[i]:indptr[i + 1]``, shape ``(n + 1,)``.
        targets: object of each statement, shape ``(m,)``.
        predicates: index into `PREDICATES`, shape ``(m,)``.
        weights: in [0, 1], shape ``(m,)``.
        statements: ids, ASCII bytes, shape ``(m,)``.
        information: information content of each concept in [0, 1], shape ``(n,)``; 1 where nothing is known of it.
    """

    ids: NDArray[np.str_]
    categories: NDArray[np.int8]
    indptr: NDArray[np.int64]
    targets: NDArray[np.int32]
    predicates: NDArray[np.int8]
    weights: NDArray[np.float64]
    statements: NDArray[np.bytes_]
    information: NDArray[np.float64]

    @property
    def subjects(self) -> NDArray[np.int32]:
        """Subject of each statement, shape ``(m,)``."""
        return np.repeat(np.arange(len(self.ids), dtype=np.int32), np.diff(self.indptr))


def load_snapshot(bundle: Bundle) -> Snapshot:
    """Give the snapshot of a bundle: from its files where they are there, else made and, where possible, kept."""
    place = Path(bundle.path) / "csr" / f"{bundle.hash[:16]}-{FORMAT}"
    if not place.is_dir():
        made = make_snapshot(bundle)
        try:
            with atomic_directory(place) as temporary:
                for name in _ARRAYS:
                    np.save(temporary / f"{name}.npy", getattr(made, name), allow_pickle=False)
        except InputError:  # a bundle that cannot be written is used all the same
            return made
    return Snapshot(**{name: np.load(place / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in _ARRAYS})


def make_snapshot(bundle: Bundle) -> Snapshot:
    """Turn the bundle's concepts and statements into arrays."""
    concepts = bundle.concepts.filter(~pl.col("deprecated")).select("id", "category").sort("id").collect()
    places = concepts.select("id").with_row_index("place")
    categories = {category.value: index for index, category in enumerate(CATEGORIES)}
    predicates = {predicate.value: index for index, predicate in enumerate(PREDICATES)}
    statements = bundle.statements.filter(~pl.col("negated")).collect()
    statements = (
        statements.join(places.rename({"id": "subject", "place": "source"}), on="subject", how="inner")
        .join(places.rename({"id": "object", "place": "target"}), on="object", how="inner")
        .filter((pl.col("source") != pl.col("target")) & pl.col("predicate").is_in(list(predicates)))
        .with_columns(kind=pl.col("predicate").replace_strict(predicates, return_dtype=pl.Int8))
        .sort("source", "kind", "target", "id")
    )
    sources = statements["source"].to_numpy().astype(np.int64)
    ids = np.array(concepts["id"].to_list(), dtype=np.str_)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(sources, minlength=len(ids)))]).astype(np.int64)
    targets = statements["target"].to_numpy().astype(np.int32)
    kinds = statements["kind"].to_numpy().astype(np.int8)
    return Snapshot(
        ids=ids,
        categories=np.array([categories.get(c, len(CATEGORIES) - 1) for c in concepts["category"]], dtype=np.int8),
        indptr=indptr,
        targets=targets,
        predicates=kinds,
        weights=np.clip(statements["weight"].to_numpy().astype(np.float64), 0.0, 1.0),
        statements=np.array(statements["id"].to_list(), dtype=np.bytes_),
        information=information_content(ids, sources, targets, kinds),
    )


def information_content(
    ids: NDArray[np.str_], sources: NDArray[np.int64], targets: NDArray[np.int32], predicates: NDArray[np.int8]
) -> NDArray[np.float64]:
    """Give each concept's information content, -log of the share of diseases that show it, scaled to [0, 1].

    A disease that shows a term shows all terms above it (Resnik 1995). Where no disease is annotated below a term, its
    place in the hierarchy counts (Seco et al. 2004); concepts outside any hierarchy have 1.
    """
    n = len(ids)
    is_a = predicates == PREDICATES.index(Predicate.SUBCLASS_OF)
    hierarchy = np.char.startswith(ids, "HP:") if n else np.zeros(0, dtype=bool)
    inside = is_a & hierarchy[sources] & hierarchy[targets]
    above = _closure(sources[inside], targets[inside], n)
    shows = predicates == PREDICATES.index(Predicate.HAS_PHENOTYPE)
    ones = np.ones(int(shows.sum()), dtype=np.int32)
    annotated = sparse.csr_matrix((ones, (targets[shows], sources[shows])), shape=(n, n))
    diseases = len(np.unique(sources[shows]))
    counts = np.diff((above.T @ annotated).tocsr().indptr).astype(np.float64)
    content = np.ones(n)
    if diseases > 1:
        content = -np.log((counts + 1) / (diseases + 1)) / np.log(diseases + 1)
    below = np.diff(above.T.tocsr().indptr).astype(np.float64)
    total = max(float(hierarchy.sum()), 2.0)
    structural = 1 - np.log(np.maximum(below, 1)) / np.log(total)
    content = np.where(counts > 0, np.minimum(content, structural), structural)
    return np.where(hierarchy, np.clip(content, 0.0, 1.0), 1.0)


def _closure(children: NDArray[np.int64], parents: NDArray[np.int32], n: int) -> sparse.csr_matrix:
    """Give the reflexive transitive closure of ``child is_a parent`` by repeated squaring; cycles do no harm."""
    eye = sparse.identity(n, dtype=np.int32, format="csr")
    step = sparse.csr_matrix((np.ones(len(children), dtype=np.int32), (children, parents)), shape=(n, n))
    reach = (eye + step).tocsr()
    while True:
        reach.data[:] = 1
        wider = (reach @ reach).tocsr()
        if wider.nnz == reach.nnz:
            return reach
        reach = wider

"""Cliques: ids of several vocabularies that mean the same thing, and those that only seem to.

Mappings that state identity (``skos:exactMatch`` …) and cross-references between clinical vocabularies are the edges
of a graph. An edge is ambiguous, and does not count, where one of its ends has edges to two ids of the other's
vocabulary: then neither can be exact. What hangs together after that is a clique, unless it mixes categories, would
swallow two live terms of one vocabulary, or is larger than a limit. Which ids are merged does not depend on any order.

What is not merged is reported with the mappings that would have joined it.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from kg.readers.records import EXACT_MATCH, XREF
from kg.schema import CLIQUES
from kg.vocabulary import Category


def words_of(text: str) -> tuple[str, ...]:
    """Split names that are written with blanks between them."""
    return tuple(text.split())


_IDENTITY = frozenset({EXACT_MATCH, "owl:equivalentClass", "owl:sameAs"})
_KIN = {Category.CHEMICAL.value: Category.DRUG.value}
"""Categories that one thing may have at once."""

PRIORITY = words_of(
    """
    CCS CCSR CRG HP MONDO DOID SYMP OMIM ORPHA ICD10CM ICD9CM LOINC RXNORM DRUGBANK CHEBI NCBIGENE HGNC UNIPROTKB GO
    UBERON CL REACTOME MAXO SNOMEDCT_US MESH NCIT UMLS
    """
)
"""Whose id a clique takes, the first that is among its members; other vocabularies come after these, by name."""

CROSS_REFERENCED = frozenset(
    words_of(
        """
        HP MONDO DOID SYMP OMIM ORPHA ICD10CM ICD10 ICD9CM ICD9 SNOMEDCT_US UMLS MESH NCIT MEDDRA EFO GARD RXNORM
        DRUGBANK CHEBI UNII ATC
        """
    )
)
"""Vocabularies between which a plain cross-reference counts as exact, where it is not ambiguous."""

LIMIT = 64


@dataclass(frozen=True, slots=True)
class MergeSettings:
    """What the user may set about merging.

    Attributes:
        priority: prefixes; the clique takes the id of the first.
        limit: ids in a clique at most.
        cross_references: vocabularies between which plain cross-references count; empty leaves only stated identity.
    """

    priority: tuple[str, ...] = PRIORITY
    limit: int = LIMIT
    cross_references: frozenset[str] = CROSS_REFERENCED

    def as_json(self) -> dict[str, object]:
        """Give the settings for the manifest."""
        return {
            "priority": list(self.priority),
            "limit": self.limit,
            "cross_references": sorted(self.cross_references),
        }


@dataclass(frozen=True, slots=True)
class Cliques:
    """What was found.

    Attributes:
        leader: the canonical id of every other member of a clique.
        members: by canonical id, the other ids, sorted.
        refused: columns `kg.schema.CLIQUES`.
    """

    leader: dict[str, str]
    members: dict[str, tuple[str, ...]]
    refused: pl.DataFrame


def find_cliques(mappings: pl.DataFrame, declared: Mapping[str, str], settings: MergeSettings) -> Cliques:
    """Find cliques.

    Args:
        mappings: columns ``subject``, ``predicate``, ``object``, ``source``; ids current.
        declared: category of every live concept that a source declares.
        settings: see `MergeSettings`.
    """
    edges = _edges(mappings, settings)
    if not edges.height:
        return Cliques({}, {}, pl.DataFrame(schema=CLIQUES))
    ids = pl.concat([edges["subject"], edges["object"]]).unique().sort()
    graph = _Graph(edges, ids, declared, settings)
    graph.drop_ambiguous()
    graph.settle()
    return Cliques(graph.leader, graph.members, graph.report())


def _edges(mappings: pl.DataFrame, settings: MergeSettings) -> pl.DataFrame:
    """Give one row a pair of ids, the stated identities (``tier`` 0) before the cross-references (1)."""
    prefixes = [pl.col(end).str.extract(r"^([^:]+):", 1) for end in ("subject", "object")]
    known = pl.all_horizontal([one.is_in(sorted(settings.cross_references)) for one in prefixes])
    stated = pl.col("predicate").is_in(sorted(_IDENTITY))
    crossed = (pl.col("predicate") == XREF) & known
    low, high = pl.min_horizontal("subject", "object"), pl.max_horizontal("subject", "object")
    return (
        mappings.filter((stated | crossed) & (pl.col("subject") != pl.col("object")))
        .with_columns(
            tier=pl.when(pl.col("predicate").is_in(sorted(_IDENTITY))).then(0).otherwise(1), low=low, high=high
        )
        .sort("tier", "low", "high", "predicate", "subject", "source")
        .unique(["low", "high"], keep="first", maintain_order=True)
        .drop("low", "high")
    )


@dataclass(slots=True)
class _Refusal:
    reason: str
    members: tuple[str, ...]
    edges: list[int]


@dataclass(slots=True)
class _Graph:
    """Edges as numbers, and what is decided about them."""

    edges: pl.DataFrame
    ids: pl.Series
    declared: Mapping[str, str]
    settings: MergeSettings
    leader: dict[str, str] = field(default_factory=dict)
    members: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _refusals: list[_Refusal] = field(default_factory=list)
    _names: list[str] = field(init=False)
    _prefix: np.ndarray = field(init=False)
    _ends: np.ndarray = field(init=False)
    _tier: np.ndarray = field(init=False)
    _kept: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        places = pl.DataFrame({"id": self.ids}).with_row_index("n")
        numbered = [
            self.edges.select(id=end).join(places, on="id", how="left", maintain_order="left")["n"].to_numpy()
            for end in ("subject", "object")
        ]
        self._ends = np.stack(numbered, axis=1).astype(np.int64)
        self._names = self.ids.to_list()
        self._prefix = self.ids.str.extract(r"^([^:]+):", 1).fill_null("").rank("dense").to_numpy().astype(np.int64)
        self._tier = self.edges["tier"].to_numpy().astype(np.int64)
        self._kept = np.ones(len(self._tier), dtype=bool)

    def drop_ambiguous(self) -> None:
        """Let go of edges that cannot be exact: stated identities first, then cross-references beside them."""
        for tier in (0, 1):
            among = self._kept & (self._tier <= tier)
            doubled = self._doubled(among)
            self._kept &= ~(doubled & (self._tier == tier))

    def _doubled(self, among: np.ndarray) -> np.ndarray:
        """Say of each edge whether one of its ends has another edge to the vocabulary of the other end."""
        found = np.zeros(len(among), dtype=bool)
        rows = np.flatnonzero(among)
        # An id may stand on either side of a mapping, so both directions count together.
        node = self._ends[rows].T.reshape(-1)
        other = self._prefix[self._ends[rows][:, ::-1].T.reshape(-1)]
        _, place, counts = np.unique(np.stack([node, other], axis=1), axis=0, return_inverse=True, return_counts=True)
        several = (counts > 1)[place.reshape(-1)].reshape(2, -1)
        found[rows] = several.any(axis=0)
        return found

    def settle(self) -> None:
        """Make cliques of what hangs together; where that fails, of what stated identities alone hold together."""
        self._report_ambiguous()
        for members, rows in self._components(np.flatnonzero(self._kept)):
            reason, pair = self._fault(members)
            if not reason:
                self._accept(members)
                continue
            self._refuse(reason, members, rows, pair)
            stated = rows[self._tier[rows] == 0]
            if len(stated) < len(rows):
                for smaller, within in self._components(stated):
                    again, pair = self._fault(smaller)
                    if not again:
                        self._accept(smaller)
                    else:
                        self._refuse(again, smaller, within, pair)

    def _components(self, rows: np.ndarray) -> Iterable[tuple[np.ndarray, np.ndarray]]:
        """Give (members, edges) of each connected component of the given edges, in the order of the ids."""
        from scipy.sparse import coo_array  # heavy to import, and most builds change nothing
        from scipy.sparse.csgraph import connected_components

        if not len(rows):
            return
        ends = self._ends[rows]
        size = len(self._names)
        matrix = coo_array((np.ones(len(rows), dtype=np.int8), (ends[:, 0], ends[:, 1])), shape=(size, size))
        _, label = connected_components(matrix, directed=False)
        nodes = np.unique(ends)
        order = nodes[np.argsort(label[nodes], kind="stable")]
        edges = rows[np.argsort(label[ends[:, 0]], kind="stable")]
        cuts = np.flatnonzero(np.diff(label[order])) + 1
        edge_cuts = np.flatnonzero(np.diff(label[self._ends[edges, 0]])) + 1
        yield from zip(np.split(order, cuts), np.split(edges, edge_cuts), strict=True)

    def _fault(self, members: np.ndarray) -> tuple[str, tuple[int, int] | None]:
        """Say why a component is no clique, with two members that must not be one; empty where it is one."""
        seen_category: dict[str, int] = {}
        seen_prefix: dict[int, int] = {}
        for node in members.tolist():
            category = self.declared.get(self._names[node])
            if category is None:
                continue
            prefix = int(self._prefix[node])
            if prefix in seen_prefix:
                return "two live terms of one vocabulary", (seen_prefix[prefix], node)
            seen_prefix[prefix] = node
            if category != Category.OTHER.value:
                kin = _KIN.get(category, category)
                other = next((n for c, n in seen_category.items() if c != kin), None)
                if other is not None:
                    return "mixes categories", (other, node)
                seen_category.setdefault(kin, node)
        return ("more ids than the limit", None) if len(members) > self.settings.limit else ("", None)

    def _accept(self, members: np.ndarray) -> None:
        names = [self._names[node] for node in members.tolist()]
        live = [name for name in names if name in self.declared]
        if not live:
            return
        ranks = {prefix: n for n, prefix in enumerate(self.settings.priority)}
        leader = min(live, key=lambda name: (ranks.get(name.partition(":")[0], len(ranks)), name))
        self.members[leader] = tuple(sorted(set(names) - {leader}))
        self.leader |= dict.fromkeys(self.members[leader], leader)

    def _refuse(self, reason: str, members: np.ndarray, rows: np.ndarray, pair: tuple[int, int] | None) -> None:
        path = self._path(rows, *pair) if pair is not None else rows[:20].tolist()
        self._refusals.append(_Refusal(reason, tuple(sorted(self._names[n] for n in members.tolist())), path))

    def _path(self, rows: np.ndarray, start: int, end: int) -> list[int]:
        """Give the edges of a shortest way between two members."""
        near: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for row in rows.tolist():
            a, b = self._ends[row].tolist()
            near[a].append((b, row))
            near[b].append((a, row))
        came: dict[int, tuple[int, int]] = {start: (start, -1)}
        queue = deque([start])
        while queue and end not in came:
            node = queue.popleft()
            for other, row in sorted(near[node]):
                if other not in came:
                    came[other] = (node, row)
                    queue.append(other)
        path: list[int] = []
        while end != start:
            end, row = came[end]
            path.append(row)
        return path[::-1]

    def _report_ambiguous(self) -> None:
        """Report the ambiguous edges that would have joined two declared concepts."""
        dropped = set(np.flatnonzero(~self._kept).tolist())
        for members, rows in self._components(np.arange(len(self._kept))):
            lost = [row for row in rows.tolist() if row in dropped]
            live = sum(self._names[node] in self.declared for node in members.tolist())
            if lost and live > 1:
                names = sorted({self._names[n] for row in lost for n in self._ends[row].tolist()})
                self._refusals.append(_Refusal("ambiguous", tuple(names), lost))

    def report(self) -> pl.DataFrame:
        """Give what was not merged, one row a mapping."""
        rows: list[tuple[object, ...]] = []
        columns = self.edges.select("subject", "predicate", "object", "source").rows()
        refusals: Sequence[_Refusal] = sorted(self._refusals, key=lambda one: (one.members, one.reason))
        for number, refusal in enumerate(refusals, start=1):
            for row in refusal.edges:
                rows.append((number, refusal.reason, *columns[row], list(refusal.members[: self.settings.limit])))
        return pl.DataFrame(rows, schema=CLIQUES, orient="row").sort(
            "clique", "reason", "subject", "predicate", "object"
        )

"""A concept with its neighbourhood, as a tree of rows."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from ehr.errors import InputError
from kg.bundle import Bundle
from kg.readers.curies import normalise
from kg.search import search_concepts
from kg.types import Concept
from kg.vocabulary import Predicate


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The other end of a statement about the concept that is shown.

    Attributes:
        statement: id of the statement.
        publications: the first citations of its evidence.
        checked: True where a citation of curated evidence was opened, False where none was, None for released sources.
    """

    id: str
    name: str
    category: str
    statement: str
    weight: float
    negated: bool
    sources: tuple[str, ...]
    publications: tuple[str, ...]
    checked: bool | None


@dataclass(frozen=True, slots=True)
class Branch:
    """The neighbours by one predicate; ``outgoing`` where the shown concept is the subject.

    Attributes:
        neighbours: the strongest ones.
        total: how many there are.
    """

    predicate: Predicate
    outgoing: bool
    neighbours: tuple[Neighbour, ...]
    total: int

    @property
    def title(self) -> str:
        """Predicate as words, with its direction (``has phenotype →``, ``← has phenotype``)."""
        words = self.predicate.name.lower().replace("_", " ")
        return f"{words} →" if self.outgoing else f"← {words}"


@dataclass(frozen=True, slots=True)
class ConceptView:
    """A concept and its branches; ``asked`` is the id as the user wrote it, which may be a former one."""

    concept: Concept
    asked: str
    branches: tuple[Branch, ...]

    def rows(self) -> list[dict[str, str | int | float]]:
        """Give the tree as rows, ``level`` 0 for the concept, 1 for a predicate, 2 for a neighbour."""
        concept = self.concept
        rows = [_row(0, concept.category.label, concept.id, concept.name, concept.definition)]
        for synonym in concept.synonyms:
            rows.append(_row(1, f"{synonym.scope} synonym", "", synonym.text, synonym.kind))
        if concept.xrefs:
            rows.append(_row(1, "cross-references", "", ", ".join(concept.xrefs), ""))
        for branch in self.branches:
            rows.append(_row(1, branch.title, "", f"{branch.total}", ""))
            for near in branch.neighbours:
                mark = {True: "checked", False: "not checked", None: ""}[near.checked]
                what = ", ".join((*near.sources, *((mark,) if mark else ()), *near.publications))
                name = f"not: {near.name}" if near.negated else near.name
                rows.append(_row(2, "", near.id, name, what) | {"weight": round(near.weight, 3)})
            left = branch.total - len(branch.neighbours)
            if left:
                rows.append(_row(2, "", "", f"… {left} more", ""))
        return rows


def _row(level: int, kind: str, identifier: str, name: str, detail: str) -> dict[str, str | int | float]:
    return {"level": level, "kind": kind, "id": identifier, "name": name, "weight": "", "detail": detail}


def show(bundle: Bundle, identifier: str, *, limit: int = 12) -> ConceptView:
    """Give a concept with its strongest neighbours by predicate.

    Args:
        bundle: where to look.
        identifier: a CURIE in any known spelling; a former id leads to the current one.
        limit: at most so many neighbours a branch.

    Raises:
        InputError: where there is no such concept; says which are near.
    """
    wanted = bundle.current(normalise(identifier))
    concept = bundle.concept(wanted)
    if concept is None:
        near = ", ".join(f"{hit.id} ({hit.name})" for hit in search_concepts(bundle, identifier, 3))
        raise InputError(
            f"no concept {identifier!r} in {bundle.path}",
            remedy=f"did you mean {near}" if near else "find ids with `kg search`",
        )
    return ConceptView(concept, identifier, tuple(_branches(bundle, wanted, limit)))


def _branches(bundle: Bundle, identifier: str, limit: int) -> list[Branch]:
    near = bundle.statements.filter((pl.col("subject") == identifier) | (pl.col("object") == identifier)).collect()
    near = near.with_columns(
        outgoing=pl.col("subject") == identifier,
        other=pl.when(pl.col("subject") == identifier).then("object").otherwise("subject"),
    ).sort("predicate", "outgoing", "negated", "weight", "other", descending=[False, True, False, True, False])
    branches = []
    for (predicate, outgoing), part in near.group_by("predicate", "outgoing", maintain_order=True):
        kept = part.head(limit)
        branches.append(
            Branch(Predicate(str(predicate)), bool(outgoing), tuple(_neighbours(bundle, kept)), part.height)
        )
    order = list(Predicate)
    return sorted(branches, key=lambda branch: (not branch.outgoing, order.index(branch.predicate)))


def _neighbours(bundle: Bundle, statements: pl.DataFrame) -> list[Neighbour]:
    wanted = statements["id"].implode()
    evidence = bundle.evidence.filter(pl.col("statement").is_in(wanted)).collect()
    cited = evidence.group_by("statement").agg(
        publications=pl.col("publications").explode(empty_as_null=False).unique(maintain_order=True).head(3),
        checked=pl.col("checked").any(ignore_nulls=False),
    )
    concepts = bundle.concepts.filter(pl.col("id").is_in(statements["other"].unique().implode())).collect()
    rows = statements.join(cited, left_on="id", right_on="statement", how="left", maintain_order="left")
    rows = rows.join(
        concepts.select(other="id", name="name", category="category"), on="other", how="left", maintain_order="left"
    )
    return [
        Neighbour(
            id=row["other"],
            name=row["name"],
            category=row["category"],
            statement=row["id"],
            weight=row["weight"],
            negated=row["negated"],
            sources=tuple(row["sources"]),
            publications=tuple(row["publications"] or ()),
            checked=row["checked"],
        )
        for row in rows.to_dicts()
    ]

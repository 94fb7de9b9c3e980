"""The ontology's hierarchy: what lies above and below a concept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import polars as pl

from kg.vocabulary import Predicate

if TYPE_CHECKING:
    from kg.bundle import Bundle


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

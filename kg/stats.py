"""What a bundle holds, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from kg.bundle import Bundle
from kg.vocabulary import Category, Predicate


@dataclass(frozen=True, slots=True)
class Checked:
    """How far the citations of one curated source were opened; ``source`` is ``all`` for the sum."""

    source: str
    checked: int
    total: int

    @property
    def share(self) -> float:
        """Checked over total; 0 for none."""
        return self.checked / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts of a bundle.

    Attributes:
        concepts: by (source, category label).
        statements: by (source, relationship type); a statement of two sources counts for each.
        totals: rows by table.
        checked: one entry a source whose citations are marked as opened or not, the sum last.
        isolated: concepts without any statement.
        several_sources: statements that more than one source makes.
    """

    concepts: dict[tuple[str, str], int]
    statements: dict[tuple[str, str], int]
    totals: dict[str, int]
    checked: tuple[Checked, ...]
    isolated: int
    several_sources: int

    def rows(self) -> list[dict[str, str | int | float]]:
        """Give one table: ``what``, ``source``, ``kind``, ``count`` and, where a share is meant, ``share``."""
        rows: list[dict[str, str | int | float]] = []
        for what, counts in (("concepts", self.concepts), ("statements", self.statements)):
            rows.extend({"what": what, "source": s, "kind": k, "count": n, "share": ""} for (s, k), n in counts.items())
        rows.extend(
            {"what": "citations opened", "source": c.source, "kind": "checked", "count": c.checked, "share": c.share}
            for c in self.checked
        )
        rows.extend(
            {"what": "total", "source": "all", "kind": k, "count": n, "share": ""} for k, n in self.totals.items()
        )
        extra = (("isolated concepts", self.isolated), ("statements of several sources", self.several_sources))
        rows.extend({"what": "total", "source": "all", "kind": k, "count": n, "share": ""} for k, n in extra)
        return rows


def stats(bundle: Bundle) -> Stats:
    """Count a bundle's concepts and statements, and the share of curated evidence whose source was opened."""
    concepts = bundle.concepts.group_by("source", "category").len().sort("source", "category").collect()
    statements = bundle.statements.explode("sources").group_by("sources", "predicate").len()
    ends = pl.concat([bundle.statements.select(id="subject"), bundle.statements.select(id="object")])
    isolated = bundle.concepts.join(ends, on="id", how="anti").select(pl.len())
    several = bundle.statements.filter(pl.col("sources").list.len() > 1).select(pl.len())
    tables = ("concepts", "synonyms", "statements", "evidence", "mappings", "rejects")
    return Stats(
        concepts={(s, Category(c).label): n for s, c, n in concepts.iter_rows()},
        statements={
            (s, Predicate(p).relationship): n
            for s, p, n in statements.sort("sources", "predicate").collect().iter_rows()
        },
        totals={name: bundle.table(name).select(pl.len()).collect().item() for name in tables},
        checked=checked_shares(bundle),
        isolated=isolated.collect().item(),
        several_sources=several.collect().item(),
    )


def checked_shares(bundle: Bundle) -> tuple[Checked, ...]:
    """Give, by source and over all, how much of the curated evidence rests on a source that was opened.

    Released sources, which stand for themselves, do not count.
    """
    marked = bundle.evidence.filter(pl.col("checked").is_not_null()).group_by("source")
    counts = marked.agg(pl.col("checked").sum(), total=pl.len()).sort("source").collect()
    rows = [Checked(source, int(opened), int(total)) for source, opened, total in counts.iter_rows()]
    return (*rows, Checked("all", sum(r.checked for r in rows), sum(r.total for r in rows)))

"""``kg diff``: what changed between two bundles."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from kg.bundle import Bundle

_CONCEPT = ("name", "category", "definition", "replaced_by")
_STATEMENT = ("weight", "sources")
_EVIDENCE_KEY = ("statement", "source", "version", "weight", "frequency", "checked", "note")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    Attributes:
        table: ``concepts``, ``statements`` or ``sources``.
        kind: ``added``, ``removed``, ``changed``, or ``obsoleted`` for a concept that is deprecated now.
        id: of the concept or statement; the name of the source.
        source: the first source that has it (in the old bundle where it was removed).
        before, after: what it said; for statements the triple in words.
    """

    table: str
    kind: str
    id: str
    source: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class BundleDiff:
    """All differences, by table, kind and id."""

    same: bool
    changes: tuple[Change, ...]

    def rows(self) -> list[dict[str, str]]:
        """Give one row a change."""
        return [asdict(change) for change in self.changes]

    def summary(self) -> list[dict[str, str | int]]:
        """Count the changes by table, kind and source."""
        counts: dict[tuple[str, str, str], int] = {}
        for change in self.changes:
            key = (change.table, change.kind, change.source)
            counts[key] = counts.get(key, 0) + 1
        return [{"table": t, "kind": k, "source": s, "count": n} for (t, k, s), n in sorted(counts.items())]


def diff(old: Path, new: Path) -> BundleDiff:
    """Compare two bundles by content.

    A statement counts as changed where its weight, its sources or its evidence changed; its triple is its identity.

    Raises:
        InputError: where one of them is no bundle.
    """
    before, after = Bundle.open(old), Bundle.open(new)
    changes = _source_changes(before, after)
    if before.hash != after.hash:
        changes += _concept_changes(before, after) + _statement_changes(before, after)
    ordered = sorted(changes, key=lambda c: (c.table, c.kind, c.id, c.before))
    return BundleDiff(not ordered, tuple(ordered))


def _source_changes(before: Bundle, after: Bundle) -> list[Change]:
    old, new = _sources(before), _sources(after)
    changes = [Change("sources", "removed", n, n, old[n], "") for n in old.keys() - new.keys()]
    changes += [Change("sources", "added", n, n, "", new[n]) for n in new.keys() - old.keys()]
    return changes + [
        Change("sources", "changed", n, n, old[n], new[n]) for n in old.keys() & new.keys() if old[n] != new[n]
    ]


def _sources(bundle: Bundle) -> dict[str, str]:
    entries = bundle.manifest.get("sources")
    return {
        str(e["name"]): f"{e.get('version') or 'no version'}, sha256 {str(e.get('sha256'))[:12]}"
        for e in (entries if isinstance(entries, list) else [])
        if isinstance(e, dict) and e.get("status") == "loaded"
    }


def _concept_changes(before: Bundle, after: Bundle) -> list[Change]:
    old, new = before.concepts.collect(), after.concepts.collect()
    names = {bundle: _synonyms(bundle) for bundle in (before, after)}
    old = old.join(names[before], left_on="id", right_on="concept", how="left", maintain_order="left")
    new = new.join(names[after], left_on="id", right_on="concept", how="left", maintain_order="left")
    changes = [
        Change("concepts", "removed", i, s, n, "")
        for i, s, n in old.join(new, on="id", how="anti").select("id", "source", "name").iter_rows()
    ]
    changes += [
        Change("concepts", "added", i, s, "", n)
        for i, s, n in new.join(old, on="id", how="anti").select("id", "source", "name").iter_rows()
    ]
    both = old.join(new, on="id", suffix="_new")
    gone = both.filter(~pl.col("deprecated") & pl.col("deprecated_new"))
    for row in gone.iter_rows(named=True):
        successor = row["replaced_by_new"]
        text = f"obsolete, replaced by {successor}" if successor else "obsolete"
        changes.append(Change("concepts", "obsoleted", row["id"], row["source_new"], row["name"], text))
    fields = (*_CONCEPT, "synonyms", "xrefs", "deprecated")
    for row in both.join(gone, on="id", how="anti").iter_rows(named=True):
        differing = [f for f in fields if row[f] != row[f"{f}_new"]]
        if differing:
            changes.append(
                Change(
                    "concepts",
                    "changed",
                    row["id"],
                    row["source_new"],
                    "; ".join(f"{f}: {_text(row[f])}" for f in differing),
                    "; ".join(f"{f}: {_text(row[f'{f}_new'])}" for f in differing),
                )
            )
    return changes


def _synonyms(bundle: Bundle) -> pl.DataFrame:
    written = pl.concat_str("text", "scope", "kind", separator=" | ")
    return bundle.synonyms.group_by("concept").agg(synonyms=written.unique().sort()).collect()


def _text(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
    return text if len(text) <= 120 else text[:119] + "…"


def _statement_changes(before: Bundle, after: Bundle) -> list[Change]:
    old, new = _statements(before), _statements(after)
    changes = [
        _statement("removed", r, r["triple"], "") for r in old.join(new, on="id", how="anti").iter_rows(named=True)
    ]
    changes += [
        _statement("added", r, "", r["triple"]) for r in new.join(old, on="id", how="anti").iter_rows(named=True)
    ]
    differs = pl.any_horizontal(pl.col(c) != pl.col(f"{c}_new") for c in (*_STATEMENT, "reasons"))
    for row in old.join(new, on="id", suffix="_new").filter(differs).iter_rows(named=True):
        fields = [f for f in _STATEMENT if row[f] != row[f"{f}_new"]]
        words = [[f"{f}: {_text(row[f + end])}" for f in fields] or ["evidence"] for end in ("", "_new")]
        changes.append(
            _statement(
                "changed", row, f"{row['triple']} ({'; '.join(words[0])})", f"{row['triple']} ({'; '.join(words[1])})"
            )
        )
    return changes


def _statements(bundle: Bundle) -> pl.DataFrame:
    """Give statements with the triple as text and a digest of their evidence."""
    evidence = bundle.evidence.with_columns(cited=pl.col("publications").list.join(";"))
    row = pl.concat_str([pl.col(c).cast(pl.String).fill_null("") for c in (*_EVIDENCE_KEY, "cited")], separator="\t")
    reasons = (
        evidence.select("statement", row=row).group_by("statement").agg(reasons=pl.col("row").sort().str.join("\n"))
    )
    negation = pl.when("negated").then(pl.lit("not ")).otherwise(pl.lit(""))
    triple = pl.concat_str("subject", pl.concat_str(negation, "predicate"), "object", separator=" ")
    joined = bundle.statements.with_columns(triple=triple).join(reasons, left_on="id", right_on="statement", how="left")
    return joined.select("id", "weight", "sources", "triple", "reasons").sort("id").collect()


def _statement(kind: str, row: dict[str, object], before: str, after: str) -> Change:
    sources = row.get("sources_new") or row["sources"]
    source = str(sources[0]) if isinstance(sources, list) and sources else ""
    return Change("statements", kind, str(row["id"]), source, before, after)

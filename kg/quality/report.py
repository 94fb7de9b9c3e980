"""The quality report as files, ``report.json`` in full and ``report.html`` to be read, and its sum for the screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from ehr.files import write_json
from ehr.html import render_page
from kg.quality.page import SHOWN, ids_text, label, replacement, sections_of, share, way_text
from kg.quality.types import Quality

FORMAT = 1
"""Version of ``report.json``."""
JSON, HTML = "report.json", "report.html"
_T = TypeVar("_T")


def write_report(found: Quality, folder: Path) -> None:
    """Write both files, each whole or not at all; equal findings give equal bytes.

    Raises:
        InputError: where the place cannot be written to.
    """
    write_json(folder / JSON, {"format": FORMAT, **asdict(found)})
    render_page(
        folder / HTML,
        "kg.quality",
        "report.html.j2",
        shown=SHOWN,
        summary=quality_rows(found),
        sections=sections_of(found),
    )


def quality_rows(found: Quality) -> list[dict[str, str | int]]:
    """Sum the report up for the screen, at most 25 rows: what was looked at, how many were found, one of them."""
    totals = found.totals
    rows: list[dict[str, str | int]] = []

    def add(check: str, count: int, example: str = "") -> None:
        rows.append({"check": check, "count": count, "example": example})

    for name in ("concepts", "statements", "evidence"):
        add(name, totals.get(name, 0))
    worst = found.rejects[0] if found.rejects else None
    add("rejected records", totals.get("rejects", 0), f"{worst.count:,} × {worst.reason}" if worst else "")
    add("concepts that no source declares", totals.get("dangling", 0), _first(found.dangling, lambda one: one.id))
    add(
        "equal names, not merged",
        totals.get("duplicates", 0),
        _first(found.duplicates, lambda one: f"{one.name}: {ids_text(one.ids, 3)}"),
    )
    add(
        "concepts without a statement",
        totals.get("singletons", 0),
        _first(found.singletons, lambda one: f"{one.count:,} of {one.source}, {label(one.category)}"),
    )
    add("cycles in the hierarchy", totals.get("cycles", 0), _first(found.cycles, lambda one: way_text(one.shortest, 4)))
    add(
        "obsolete concepts in use",
        totals.get("obsolete", 0),
        _first(found.obsolete, lambda one: f"{one.id}, {replacement(one.replaced_by, '')}"),
    )
    for reason, group in groupby(found.cliques, key=lambda one: one.reason):
        add(f"not merged: {reason}", totals[f"refused: {reason}"], ids_text(next(group).members, 3))
    lacking = [one for one in found.phenotypes if one.missing]
    add(
        f"of {len(found.phenotypes)} phenotypes lack a link",
        len(lacking),
        _first(lacking, lambda one: f"{one.id}: no {', no '.join(one.missing)}"),
    )
    closed = [one for one in found.licences if one.status == "loaded" and not one.open]
    add("sources that may not be passed on", len(closed), ", ".join(one.source for one in closed[:4]))
    absent = [one for one in found.licences if one.status != "loaded"]
    add("sources that are not there", len(absent), _first(absent, lambda one: f"{one.source}: {one.reason}"))
    for part in found.coverage:
        by_rows, by_code = share(part.rows_covered, part.rows), share(part.distinct_covered, part.distinct)
        add(
            f"{part.what} not covered",
            part.distinct - part.distinct_covered,
            part.note or f"covered: {by_code} of them, {by_rows} of rows",
        )
    return rows


def _first(items: Sequence[_T], say: Callable[[_T], str]) -> str:
    return say(items[0]) if items else ""

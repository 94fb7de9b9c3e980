"""The description of a cohort as one self-contained HTML page: tables, and plots as SVG drawn here.

It holds numbers of groups alone: no patient's text, date or id.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import polars as pl
from markupsafe import Markup

from ehr.cohort import Cohort
from ehr.describe import MISSING, PREVALENCE, Row, describe, pairs
from ehr.html import render_page

_WIDTH, _BAR, _NAMES = 760, 20, 300
_AGES = [(float(low), f"{low}–{low + 9}" if low < 90 else "90 and over") for low in range(0, 100, 10)]
_STAYS = [
    (0.0, "under 1 day"),
    (24.0, "1–2 days"),
    (72.0, "3–6 days"),
    (168.0, "7–13 days"),
    (336.0, "14–29 days"),
    (720.0, "30 days and over"),
]
_COUNTS = [(0.0, "none"), (1.0, "1–9"), (10.0, "10–99"), (100.0, "100–999"), (1000.0, "1,000 and over")]


def describe_to(cohort: Cohort, page: Path | None = None) -> list[Row]:
    """Describe a cohort, and write the page too where one is asked for."""
    return describe(cohort) if page is None else write_page(cohort, page)


def write_page(cohort: Cohort, path: Path) -> list[Row]:
    """Write the page and give the rows of its table.

    Args:
        cohort: an ingested cohort.
        path: HTML file to write.

    Raises:
        InputError: where a table of the cohort is missing, or the file cannot be written.
    """
    rows = describe(cohort)
    render_page(
        path,
        "ehr",
        "cohort.html.j2",
        data_use=str(cohort.manifest.get("data_use", "")),
        groups=[(name, list(found)) for name, found in groupby(rows, key=lambda row: row["group"])],
        columns=[name for name in rows[0] if name not in {"group", "measure"}],
        plots=_plots(cohort, rows),
        left_out=cohort.manifest.get("records_left_out"),
    )
    return rows


def _plots(cohort: Cohort, rows: Sequence[Row]) -> list[tuple[str, Markup]]:
    admissions = cohort.table("admissions")
    values = cohort.scan("series").group_by("admission_id").len().collect(engine="streaming")
    per_admission = admissions.select("admission_id").join(values, on="admission_id", how="left")["len"].fill_null(0)

    def of(group: str) -> list[tuple[str, float]]:
        return [(str(row["measure"]), float(row["all"] or 0)) for row in rows if row["group"] == group]

    return [
        ("Age of the admissions, years", bars(_binned(admissions["age"], _AGES), "admissions")),
        ("Length of stay", bars(_binned(admissions["length_of_stay_hours"], _STAYS), "admissions")),
        ("Labels, % of admissions", bars(of(PREVALENCE), "% of admissions")),
        ("Labels that stand together", _together(cohort, admissions)),
        ("Values of labs and vitals per admission", bars(_binned(per_admission, _COUNTS), "admissions")),
        ("Admissions without a value, %", bars(of(MISSING), "% of admissions")),
    ]


def _binned(values: pl.Series, bins: Sequence[tuple[float, str]]) -> list[tuple[str, float]]:
    known = values.drop_nulls().cast(pl.Float64)
    ends = [*[low for low, _ in bins[1:]], float("inf")]
    found = [(name, float(((known >= low) & (known < end)).sum())) for (low, name), end in zip(bins, ends, strict=True)]
    return [*found, ("unknown", float(values.null_count()))] if values.null_count() else found


def bars(values: Sequence[tuple[str, float]], unit: str) -> Markup:
    """Draw horizontal bars, one a name, each with its value beside it."""
    most = max((value for _, value in values), default=0.0) or 1.0
    height = _BAR * len(values) + 4
    parts = [
        Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}"><title>{}</title>').format(
            _WIDTH, height, "; ".join(f"{name}: {value:g}" for name, value in values), unit
        )
    ]
    for place, (name, value) in enumerate(values):
        y, width = place * _BAR, (_WIDTH - _NAMES - 70) * value / most
        parts.append(
            Markup(
                '<text class="name" x="{}" y="{}">{}</text><rect class="bar" x="{}" y="{}" width="{:.1f}" height="{}"/>'
                '<text class="value" x="{:.1f}" y="{}">{}</text>'
            ).format(
                _NAMES - 8,
                y + 14,
                name if len(name) <= 46 else name[:45] + "…",
                _NAMES,
                y + 3,
                width,
                _BAR - 6,
                _NAMES + width + 6,
                y + 14,
                f"{value:g}",
            )
        )
    return Markup("").join([*parts, Markup("</svg>")])


def _together(cohort: Cohort, admissions: pl.DataFrame) -> Markup:
    """Draw, for each label (row), the share of its admissions that bear the other (column) too."""
    labels = cohort.label_set()
    alone = dict.fromkeys(labels.ids, 0)
    for found in admissions["labels"].to_list():
        for label in found:
            alone[label] += 1
    both = {(first, second): count for first, second, count in pairs(cohort)}
    side = (_WIDTH - _NAMES) / max(1, len(labels))
    height = side * len(labels) + 16
    parts = [
        Markup('<svg viewBox="0 0 {} {:.0f}" role="img" aria-label="Share of labels that stand together">').format(
            _WIDTH, height
        )
    ]
    for row, first in enumerate(labels.ids):
        parts.append(
            Markup('<text class="name" x="{}" y="{:.1f}">{} {}</text>').format(
                _NAMES - 8, row * side + side * 0.7, labels[first].short, row + 1
            )
        )
        for column, second in enumerate(labels.ids):
            count = both.get((first, second), both.get((second, first), 0)) if first != second else alone[first]
            share = count / alone[first] if alone[first] else 0.0
            parts.append(
                Markup(
                    '<rect class="cell" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill-opacity="{:.2f}">'
                    "<title>{} of {} admissions with {} have {}</title></rect>"
                ).format(
                    _NAMES + column * side,
                    row * side,
                    side - 1,
                    side - 1,
                    share,
                    count,
                    alone[first],
                    labels[first].short,
                    labels[second].short,
                )
            )
    for column in range(len(labels)):
        parts.append(
            Markup('<text class="foot" x="{:.1f}" y="{:.1f}">{}</text>').format(
                _NAMES + (column + 0.5) * side, height - 4, column + 1
            )
        )
    return Markup("").join([*parts, Markup("</svg>")])

"""The quality report: what a person should look at before trusting a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kg.bundle import Bundle
from kg.quality import checks
from kg.quality.checks import LIMIT
from kg.quality.coverage import coverage
from kg.quality.report import quality_rows, write_report
from kg.quality.types import Quality
from kg.schema import TABLES
from kg.views import bundle_views

__all__ = ["LIMIT", "REPORTS", "Quality", "quality", "quality_rows", "write_quality"]

MEMORY = "300MB"
REPORTS = ("report.json", "report.html")


def quality(bundle: Bundle, cohort: Path | None = None) -> Quality:
    """Look a bundle over.

    Nothing runs over the evidence, and the statements are only counted, so that it can go with every build.

    Args:
        bundle: opened, or a directory of tables that is not committed yet.
        cohort: directory of a cohort whose codes are compared with the graph.

    Raises:
        InputError: where a table cannot be read, or the cohort is none.
    """
    with bundle_views({"b": bundle}, memory=MEMORY) as sql:
        checks.prepare(sql)
        totals = {name: checks.rows_of(bundle, name) for name in TABLES}
        dangling, totals["dangling"] = checks.dangling(sql)
        duplicates, totals["duplicates"] = checks.duplicates(sql)
        singletons, totals["singletons"] = checks.singletons(sql)
        cycles, totals["cycles"] = checks.cycles(sql)
        obsolete, totals["obsolete"] = checks.obsolete(sql)
        cliques, refused = checks.cliques(sql)
        totals |= {f"refused: {reason}": count for reason, count in refused.items()}
        return Quality(
            totals=totals,
            counts=checks.counts(sql),
            rejects=checks.rejects(sql),
            dangling=dangling,
            duplicates=duplicates,
            singletons=singletons,
            cycles=cycles,
            obsolete=obsolete,
            cliques=cliques,
            phenotypes=checks.phenotypes(sql),
            licences=checks.licences(bundle.manifest),
            coverage=coverage(sql, bundle, cohort) if cohort is not None else (),
        )


def write_quality(folder: Path, manifest: Mapping[str, object], cohort: Path | None = None) -> Quality:
    """Write ``report.json`` and ``report.html`` beside the tables of a bundle, committed or not.

    Args:
        folder: holds every table.
        manifest: what is known of the sources (key ``sources``); the tables' hashes are not needed.
        cohort: see `quality`.

    Raises:
        InputError: see `quality`; where the place cannot be written to.
    """
    found = quality(Bundle(folder, manifest), cohort)  # type: ignore[arg-type]
    write_report(found, folder)
    return found

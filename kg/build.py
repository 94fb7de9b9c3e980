"""``kg build``: sources, readers, merge, bundle; nothing where nothing changed."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
import polars as pl

from ehr.cohort import Cohort
from ehr.errors import InputError
from ehr.files import JsonValue, as_input_error, fingerprint, read_json, sha256_file, user_errors
from ehr.progress import bar, say
from kg.bundle import FORMAT, MANIFEST, Bundle, build_lock, building, commit, finish_commit, intact
from kg.cliques import MergeSettings
from kg.collect import Collected, Collector
from kg.diff import summarise
from kg.digests import Digests
from kg.merge import Merged, merge
from kg.quality import REPORTS, quality_rows, write_quality
from kg.readers.formats import FORMATS
from kg.readers.source import Context, Source
from kg.sources import Plan, plan
from kg.vocabulary import Predicate

_STEP = 2_000
_MEMORY = ".digests.json"


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What became of one source.

    Attributes:
        status: ``loaded``, ``skipped`` (a built-in that is not installed) or ``failed`` (with ``keep_going``).
        reason: why it was skipped or failed.
        counts: concepts, synonyms, statements, evidence, mappings, rejects that it contributed.
    """

    name: str
    status: str
    version: str = ""
    licence: str = ""
    reason: str = ""
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did.

    Attributes:
        bundle, hash: where the bundle is, and the hash of its content.
        unchanged: True where the bundle was already what the sources give, and nothing was written.
        sources: one entry a source.
        categories: concepts by (source, category).
        predicates: statements by (source, predicate); a statement of two sources counts for each.
        totals: rows by table.
        dangling: ids that statements name and no source declares; they stand in the graph as minimal concepts.
        changes: what is different from the bundle that was there (see `kg.diff.summarise`).
        checks: what the quality report says in short (see `kg.quality.quality_rows`).
        seconds: how long it took.
    """

    bundle: Path
    hash: str
    unchanged: bool
    sources: tuple[SourceReport, ...]
    categories: dict[tuple[str, str], int]
    predicates: dict[tuple[str, str], int]
    totals: dict[str, int]
    dangling: tuple[str, ...]
    checks: tuple[dict[str, str | int], ...]
    seconds: float
    changes: tuple[dict[str, str | int], ...] = ()

    def summary(self) -> list[dict[str, str | int]]:
        """Give the short table of the command line: a row a source, then what the quality report found."""
        rows: list[dict[str, str | int]] = []
        for source in self.sources:
            said = ", ".join(f"{count:,} {what}" for what, count in source.counts.items() if count)
            name = " ".join(filter(None, ("source", source.name, source.version)))
            told = said if source.status == "loaded" else f"{source.status}: {source.reason}"
            rows.append({"check": name, "count": source.counts.get("concepts", 0), "example": told})
        return [*rows, *self.checks]

    def rows(self) -> list[dict[str, str | int]]:
        """Give what was loaded, by source and category or predicate."""
        rows: list[dict[str, str | int]] = []
        for source in self.sources:
            if source.status != "loaded":
                rows.append(
                    {"source": source.name, "version": "", "what": source.status, "kind": source.reason, "count": 0}
                )
                continue
            for what, table in (("concepts", self.categories), ("statements", self.predicates)):
                for (name, kind), count in sorted(table.items()):
                    if name == source.name:
                        rows.append(
                            {"source": name, "version": source.version, "what": what, "kind": kind, "count": count}
                        )
        return rows


def build(
    sources: Sequence[str] | None,
    bundle: Path,
    *,
    strict: bool = False,
    keep_going: bool = False,
    data: Path | None = None,
    settings: MergeSettings | None = None,
    cohort: Path | None = None,
) -> BuildReport:
    """Build the bundle, or find that it is already what the sources give.

    Args:
        sources: known names and ``FORMAT:PATH[?prefix=…&category=…&name=…]``; None is the whole built-in recipe.
        bundle: directory to build in; files in it that are not the bundle's stay.
        strict: a known source that is not there, or any record that cannot be read, is an error.
        keep_going: a source that cannot be read is left out and reported instead of ending the build.
        data: directory where known sources that no package carries are looked for.
        settings: how ids of several vocabularies are merged.
        cohort: directory of a cohort whose codes the quality report compares with the graph.

    Raises:
        InputError: for an unknown source, a file that is missing or broken, a place that cannot be written to,
            another build running there; with ``strict`` for a rejected record.
    """
    started = time.monotonic()
    bundle, settings = Path(bundle), settings or MergeSettings()
    planned = plan(sources, strict=strict, data=data)
    if cohort is not None:
        Cohort.open(cohort)  # a wrong directory shows itself now, not after the merge
    with build_lock(bundle):
        finish_commit(bundle)
        digest = Digests(bundle / _MEMORY)
        digests = {source.name: digest.of_source(source) for source in planned.sources}
        print_ = _fingerprint(planned, digests, settings)
        manifest = _unchanged(bundle, print_, digest, keep_going=keep_going, strict=strict)
        if manifest is not None:
            digest.keep()
            say(f"{bundle}: already built from these sources, nothing to do")
            if cohort is not None:
                write_quality(bundle, manifest, cohort)
            return _report(bundle, manifest, unchanged=True, started=started)
        written, changes = _build_anew(
            bundle, planned, digests, settings, print_, strict=strict, keep_going=keep_going, cohort=cohort
        )
        digest.keep()
    return replace(_report(bundle, written, unchanged=False, started=started), changes=changes)


def _build_anew(
    bundle: Path,
    planned: Plan,
    digests: dict[str, str],
    settings: MergeSettings,
    print_: str,
    *,
    strict: bool,
    keep_going: bool,
    cohort: Path | None,
) -> tuple[dict[str, object], tuple[dict[str, str | int], ...]]:
    """Read, merge, look over and commit; gives the manifest, and what is different from the bundle that was there."""
    with building(bundle) as folder, _disk_errors(bundle):
        parts, tables = folder / "parts", folder / "tables"
        parts.mkdir()
        tables.mkdir()
        collected, failed = _read_all(planned.sources, parts, keep_going=keep_going)
        if strict:
            _refuse_rejects(planned.sources, collected)
        facts = sum(one.counts["facts"] for one in collected)
        with bar("merging", facts) as advance:
            merged = merge(collected, tables, workplace=folder, settings=settings, advance=advance)
        content = _describe(planned, digests, collected, failed, merged, tables)
        checks = quality_rows(write_quality(tables, content, cohort))
        changes = _changes(bundle, Bundle(tables, content))  # type: ignore[arg-type]
        content |= {"fingerprint": print_, "merge": settings.as_json(), "joined": merged.cliques, "checks": checks}
        written = commit(bundle, tables, content, extra=REPORTS)
    for change in changes:
        said = f"{change['table']} {change['kind']}: {int(change['count']):,} of {change['source'] or 'no source'}"
        say(f"since the last build, {said}")
    say(f"{bundle / 'report.html'}: what to look at before trusting this graph")
    return written, changes


def _changes(bundle: Path, new: Bundle) -> tuple[dict[str, str | int], ...]:
    """Count the differences to the bundle that was there; none where there was none that can be read."""
    if not (bundle / MANIFEST).is_file():
        return ()
    try:
        return tuple(summarise(Bundle.open(bundle), new))
    except InputError as error:
        say(f"the bundle that was there cannot be compared: {error}")
        return ()


@contextmanager
def _disk_errors(bundle: Path) -> Iterator[None]:
    """Say in one line that a disk is full, whichever library met it."""
    try:
        with user_errors(bundle):
            yield
    except (duckdb.Error, pl.exceptions.PolarsError) as error:
        for number in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
            if os.strerror(number) in str(error):
                raise as_input_error(OSError(number, ""), bundle) or error from error
        raise


def _refuse_rejects(sources: Sequence[Source], collected: Sequence[Collected]) -> None:
    """Raise for the first record that could not be read."""
    paths = {source.name: source.path for source in sources}
    for one in collected:
        if count := one.counts["rejects"]:
            first = one.scan("rejects").head(1).collect().row(0, named=True)
            more = f" ({count:,} such records)" if count > 1 else ""
            raise InputError(
                f"{first['reason']}{more}",
                where=f"source {one.source}: {paths[one.source]} {first['record']}",
                remedy="mend the file, or build without --strict: then such records are left out and counted",
            )


_CODE = (
    "catalogue.toml",
    "catalogue.py",
    "readers/*.py",
    "build.py",
    "cliques.py",
    "collect.py",
    "merge.py",
    "sorted_facts.py",
    "schema.py",
    "sources.py",
    "types.py",
    "vocabulary.py",
)


def _code_digest() -> str:
    """Hash the code that makes records into tables: a bundle built by other code is out of date."""
    here = Path(__file__).parent
    return fingerprint([[p.name, sha256_file(p)] for pattern in _CODE for p in sorted(here.glob(pattern))])


def _fingerprint(planned: Plan, digests: dict[str, str], settings: MergeSettings) -> str:
    return fingerprint(
        {
            "format": FORMAT,
            "code": _code_digest(),
            "sources": [
                source.settings() | {"sha256": digests[source.name], "licence": source.licence, "open": source.open}
                for source in planned.sources
            ],
            "skipped": [name for name, _ in planned.skipped],
            "merge": settings.as_json(),
        }
    )


def _unchanged(
    bundle: Path, print_: str, digest: Digests, *, keep_going: bool, strict: bool
) -> dict[str, JsonValue] | None:
    """Give the manifest of a bundle that needs no build; a damaged one counts as not built."""
    if not (bundle / MANIFEST).is_file():
        return None
    try:
        manifest = read_json(bundle / MANIFEST)
    except InputError:
        return None
    current = manifest.get("format") == FORMAT and manifest.get("fingerprint") == print_
    failed = any(isinstance(s, dict) and s.get("status") == "failed" for s in _list(manifest.get("sources")))
    tables = manifest.get("tables")
    rejects = tables.get("rejects") if isinstance(tables, dict) else None
    spoilt = isinstance(rejects, dict) and bool(rejects.get("rows"))
    wanted = (keep_going or not failed) and not (strict and spoilt)  # else the build says what is wrong, once more
    return manifest if current and wanted and intact(bundle, manifest, digest) else None


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _read_all(sources: Sequence[Source], folder: Path, *, keep_going: bool) -> tuple[list[Collected], dict[str, str]]:
    """Read the sources, those last that need the others; gives what each said, and why some could not be read."""
    read: dict[int, Collected] = {}
    failed: dict[str, str] = {}
    for rank, source in sorted(enumerate(sources), key=lambda pair: FORMATS[pair[1].format].derived):
        format_ = FORMATS[source.format]
        context = Context(_children([*read.values()])) if format_.derived else Context()
        collector = Collector(source.name, rank, folder)
        try:
            with bar(f"reading {source.name}") as advance:
                count = 0
                for record in format_.read(source, context):
                    count += collector.add(record)
                    if count >= _STEP:
                        advance(count)
                        count = 0
                advance(count)
        except InputError as error:
            if not keep_going:
                raise
            failed[source.name] = str(error)
            say(f"left out {source.name}: {error}")
            continue
        read[rank] = collector.finish()
    if not read:
        raise InputError("no source could be read", where=next(iter(failed)), remedy=next(iter(failed.values())))
    return [one for _, one in sorted(read.items())], failed


def _children(collected: Sequence[Collected]) -> dict[str, list[str]]:
    """Give the ICD-10-CM codes below each code, from what the sources before said."""
    children: dict[str, list[str]] = {}
    for one in collected:
        below = one.scan("facts").filter(
            (pl.col("predicate") == Predicate.SUBCLASS_OF.value)
            & pl.col("subject").str.starts_with("ICD10CM:")
            & pl.col("object").str.starts_with("ICD10CM:")
        )
        for child, parent in below.select("subject", "object").collect().iter_rows():
            children.setdefault(parent, []).append(child)
    return children


def _describe(
    planned: Plan,
    digests: dict[str, str],
    collected: Sequence[Collected],
    failed: dict[str, str],
    merged: Merged,
    tables: Path,
) -> dict[str, object]:
    """Give the manifest's part on sources: nothing of it depends on clock or place."""
    bundle = Bundle(tables, {})
    rejected = dict(bundle.rejects.group_by("source").len().collect().iter_rows())
    said = {one.source: one for one in collected}
    predicates = _count(bundle.statements.explode("sources", empty_as_null=False), ["sources", "predicate"])
    entries: list[dict[str, object]] = []
    for source in planned.sources:
        entry: dict[str, object] = source.settings() | {
            "sha256": digests[source.name],
            "licence": source.licence,
            "open": source.open,
        }
        if source.name in failed:
            entries.append(
                entry | {"status": "failed", "reason": _placeless(failed[source.name], source), "counts": {}}
            )
            continue
        one = said[source.name]
        counts = {
            "concepts": one.counts["concepts"],
            "synonyms": one.counts["synonyms"] + one.counts["names"],
            "statements": sum(int(n) for name, _, n in predicates if name == source.name),
            "evidence": one.counts["facts"],
            "mappings": one.counts["mappings"],
            "rejects": rejected.get(source.name, 0),
        }
        licence = source.licence or one.header.licence
        entries.append(
            entry | {"status": "loaded", "version": one.header.version, "licence": licence, "counts": counts}
        )
    entries.extend({"name": n, "status": "skipped", "reason": why, "counts": {}} for n, why in planned.skipped)
    return {
        "sources": entries,
        "categories": _count(bundle.concepts, ["source", "category"]),
        "predicates": predicates,
        "dangling": list(merged.dangling),
    }


def _placeless(reason: str, source: Source) -> str:
    return reason.replace(str(source.path), source.path.name)


def _count(frame: pl.LazyFrame, by: list[str]) -> list[list[str | int]]:
    return [list(row) for row in frame.group_by(by).len().sort(by).collect(engine="streaming").iter_rows()]


def _report(bundle: Path, manifest: Mapping[str, object], *, unchanged: bool, started: float) -> BuildReport:
    def pairs(key: str) -> dict[tuple[str, str], int]:
        rows = [row for row in _list(manifest[key]) if isinstance(row, list)]
        return {(str(source), str(kind)): int(count) for source, kind, count in rows}

    entries = [
        SourceReport(
            name=str(entry["name"]),
            status=str(entry["status"]),
            version=str(entry.get("version", "")),
            licence=str(entry.get("licence", "")),
            reason=str(entry.get("reason", "")),
            counts=dict(entry["counts"]),
        )
        for entry in _list(manifest["sources"])
        if isinstance(entry, dict)
    ]
    tables = manifest["tables"]
    totals = {name: int(info["rows"]) for name, info in tables.items()} if isinstance(tables, dict) else {}
    return BuildReport(
        bundle=bundle,
        hash=str(manifest["hash"]),
        unchanged=unchanged,
        sources=tuple(entries),
        categories=pairs("categories"),
        predicates=pairs("predicates"),
        totals=totals,
        dangling=tuple(str(one) for one in _list(manifest["dangling"])),
        checks=tuple(dict(one) for one in _list(manifest["checks"]) if isinstance(one, dict)),
        seconds=time.monotonic() - started,
    )

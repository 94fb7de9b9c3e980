"""What ``kg export`` does: open the bundle, take the part that is asked for, write it whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa

from ehr.errors import InputError
from ehr.files import read_json
from ehr.progress import say
from kg.bundle import MANIFEST, Bundle
from kg.export.derived import rows_of
from kg.export.graphml import LIMIT, check_size, write_graphml
from kg.export.kgx import write_kgx
from kg.export.licences import LICENCES, Terms, licences_text, terms_of
from kg.export.neighbourhood import neighbourhood
from kg.export.neo4j_admin import write_neo4j_admin
from kg.export.open_part import open_part
from kg.export.place import check_place, export_place, write_manifest
from kg.export.turtle import write_turtle

FORMATS: dict[str, Callable[[Bundle, Path], Mapping[str, int]]] = {
    "neo4j-admin": write_neo4j_admin,
    "kgx": write_kgx,
    "turtle": write_turtle,
    "graphml": write_graphml,
}
"""What writes each format; gives what it wrote, by kind."""

_TABLES = ("concepts", "synonyms", "statements", "evidence", "mappings")
Row = dict[str, str | int]


def export_bundle(
    bundle: Path,
    directory: Path,
    *,
    to: str,
    licence: str = "any",
    centre: str | None = None,
    hops: int = 2,
    limit: int | None = None,
) -> list[Row]:
    """Write a bundle, or a part of it, in another format.

    Args:
        bundle: directory of the bundle.
        directory: where to; new, empty, or an earlier export, which it replaces.
        to: a key of `FORMATS`.
        licence: ``open`` leaves out what closed sources say (see `kg.export.open_part`), ``any`` nothing.
        centre: take only what lies around this concept.
        hops: how far around.
        limit: concepts at most around the centre; of GraphML also without one.

    Returns:
        What was written and left out, by table and by source with its licence.

    Raises:
        InputError: for an unknown format, concept or bundle, a directory that is no earlier export, a graph too large
            for the format, a full disk; where the bundle was built anew meanwhile.
    """
    if to not in FORMATS:
        raise InputError(f"unknown format {to!r}", where="--to", remedy=f"expected one of {', '.join(FORMATS)}")
    if licence not in ("open", "any"):
        raise InputError(f"found {licence!r}, expected open or any", where="--licence")
    if hops < 0 or (limit is not None and limit < 1):
        raise InputError("--hops is 0 or more, --limit 1 or more", where="kg export")
    if to != "graphml" and centre is None and limit is not None:
        raise InputError(f"--limit cuts around a concept, name one with --centre; {to} takes graphs of any size")
    directory = directory.absolute()
    whole = Bundle.open(bundle)
    check_place(directory)
    most = LIMIT if to == "graphml" and limit is None else limit
    with _disk_errors(directory), export_place(directory) as folder, _workplace(directory) as place:
        part = open_part(whole, _made(place / "open")) if licence == "open" else whole
        if centre is not None:
            part = neighbourhood(part, _made(place / "cut"), centre=centre, hops=hops, limit=most)
        if to == "graphml":
            check_size(part, most or LIMIT)
        counts = FORMATS[to](part, folder)
        terms, gone = terms_of(part.manifest), _gone(whole, part)
        (folder / LICENCES).write_text(licences_text(terms, left_out=gone), encoding="utf-8")
        said = {"bundle": whole.hash, "format": to, "licence": licence, "centre": centre, "counts": dict(counts)}
        shutil.rmtree(folder / ".duckdb", ignore_errors=True)
        write_manifest(folder, said)
        rows = _rows(whole, part, terms, gone)
        if read_json(bundle / MANIFEST).get("hash") != whole.hash:
            raise InputError("was built anew meanwhile", where=bundle, remedy="run the same command again")
    _say(directory, to, terms)
    return rows


def _made(path: Path) -> Path:
    path.mkdir()
    return path


@contextmanager
def _workplace(directory: Path) -> Iterator[Path]:
    """Give a directory for bundles in between, on the disk that the export is written to."""
    folder = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", suffix=".work", dir=directory.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _disk_errors(directory: Path) -> Iterator[None]:
    """Say in one line that a disk is full, whichever library met it."""
    try:
        yield
    except (duckdb.Error, pl.exceptions.PolarsError, pa.ArrowException) as error:
        text = str(error)
        if "No space left" in text or "File too large" in text:
            raise InputError(
                "no space left on the device", where=directory, remedy="free some space and run the same command again"
            ) from error
        raise


def _gone(whole: Bundle, part: Bundle) -> tuple[Terms, ...]:
    names = {one.name for one in terms_of(part.manifest)}
    return tuple(one for one in terms_of(whole.manifest) if one.name not in names)


def _rows(whole: Bundle, part: Bundle, terms: tuple[Terms, ...], gone: tuple[Terms, ...]) -> list[Row]:
    before, after = rows_of(whole), rows_of(part)
    rows: list[Row] = [
        {"what": name, "written": after[name], "left out": before[name] - after[name], "licence": ""}
        for name in _TABLES
    ]
    said, kept = _evidence_of(whole), _evidence_of(part)
    for one in (*terms, *gone):
        label = " ".join(filter(None, ("source", one.name, one.version)))
        licence = f"{'open' if one.open else 'closed'}: {one.licence or 'not stated'}"
        written = kept.get(one.name, 0)
        rows.append(
            {"what": label, "written": written, "left out": said.get(one.name, 0) - written, "licence": licence}
        )
    return rows


def _evidence_of(bundle: Bundle) -> dict[str, int]:
    counts = bundle.evidence.select("source").group_by("source").len().collect(engine="streaming")
    return dict(counts.iter_rows())


def _say(directory: Path, to: str, terms: tuple[Terms, ...]) -> None:
    closed = [one for one in terms if not one.open]
    if closed:
        say("holds content that may not be passed on as it is (--licence open leaves it out):")
        for one in closed:
            say(f"  {one.name}: {one.licence or 'no licence stated'}")
    if to == "neo4j-admin":
        say(f"import it into a stopped Neo4j: {directory / 'import.sh'}")
        say(f"then start it and run: cypher-shell -f {directory / 'constraints.cypher'}")

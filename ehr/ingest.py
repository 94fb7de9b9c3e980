"""Reads a hospital's tables into a cohort: bounded memory, equal input to equal bytes, whole or not at all."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from ehr.cohort import FORMAT, MANIFEST, Cohort, create_cohort
from ehr.errors import InputError
from ehr.files import JsonValue, fingerprint, library_errors, read_json, sha256_file, user_errors
from ehr.filling import Plan, fill
from ehr.hospital import Hospital
from ehr.items import read_items
from ehr.label_files import read_label_set, write_label_set
from ehr.layouts.known import LAYOUTS
from ehr.phenotypes import load_phenotypes
from ehr.privacy import data_use, protect
from ehr.progress import bar, say
from ehr.schemas import SCHEMAS
from ehr.sections import NotePolicy
from ehr.series import choose_series, write_series
from ehr.splits import SplitPolicy
from ehr.tables import Table
from ehr.unfinished import KIND, unfinished
from ehr.workspace import MEMORY

_DATA_FILES = ("units.csv", "ucum.csv", "codes_meds.csv", "concepts_omop.csv", "visits_omop.csv")
_CODE_VERSION = 8  # raise where the same input would give another cohort
_SCRATCH = ".work"
_UNTIL = {"discharge": None, "24h": 24.0, "48h": 48.0}


def open_hospital(directory: Path, layout: str, *, notes: Path | None = None) -> Hospital:
    """Open a hospital's directory in the layout that is asked for, or in the one that it shows.

    Args:
        directory: the hospital's tables.
        layout: ``auto`` or the name of one of `LAYOUTS`.
        notes: where the notes lie, for a layout that has them in a directory of their own.

    Raises:
        InputError: for a missing directory, an unknown layout, two layouts in one directory, or a missing table or
            column.
    """
    if not directory.is_dir():
        raise InputError("no such directory", where=directory)
    names = [known.name for known in LAYOUTS]
    if layout not in ("auto", *names):
        raise InputError(f"unknown layout {layout!r}", remedy=f"expected auto, {', '.join(names)}")
    fitting = [k for k in LAYOUTS if k.name == layout] or [k for k in LAYOUTS if k.matches(directory)]
    if len(fitting) > 1:
        found = " and ".join(known.name for known in fitting)
        raise InputError(f"it looks like {found}", where=directory, remedy="say which with --layout")
    if not fitting and not any(path.is_dir() and path.name.lower() == "hosp" for path in directory.iterdir()):
        raise InputError(f"no layout that is known ({', '.join(names)}); {_seen(directory)}", where=directory)
    # None matches, but it has MIMIC-IV's folders: opening it says which file or column is missing.
    chosen = fitting[0] if fitting else LAYOUTS[0]
    if notes is None:
        return chosen.open(directory)
    if chosen.open_with_notes is None:
        raise InputError(f"{chosen.name} has its notes among its tables", where=notes, remedy="leave out --notes")
    return chosen.open_with_notes(directory, notes)


def _seen(directory: Path) -> str:
    names = sorted(path.name + ("/" if path.is_dir() else "") for path in directory.iterdir())
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"it holds {', '.join(names[:8])}{more}" if names else "it is empty"


def ingest(
    directory: Path,
    out: Path,
    *,
    layout: str = "auto",
    splits: Path | None = None,
    split: SplitPolicy = "stratified",
    seed: int = 0,
    note_policy: NotePolicy = "admission",
    notes: Path | None = None,
    labels: Path | None = None,
    series: str = "all",
    items: Path | None = None,
    until: str = "discharge",
    memory: str = MEMORY,
    keep_going: bool = False,
) -> Cohort:
    """Read a hospital's tables into a cohort.

    Args:
        directory: the hospital's directory, such as MIMIC-IV's with ``hosp/`` and ``icu/``.
        out: the cohort's directory; an older cohort there is replaced whole once the new one is done.
        layout: ``auto`` or the name of one of `LAYOUTS`.
        splits: file ``subject_id,split``; by default ``splits.csv`` in the directory, else drawn by patient.
        split: how they are drawn, `ehr.splits.SplitPolicy`.
        seed: for splits and folds.
        note_policy: which note sections are kept (`ehr.sections`).
        notes: where the notes lie (MIMIC-IV-Note), where they are not found beside the tables.
        labels: another label set (`ehr.label_files`).
        series: ``paper``, ``all`` or a file (`ehr.series.choose_series`).
        items: a file of item ids that the layout's own are added to (`ehr.items.read_items`).
        until: ``24h``, ``48h`` or ``discharge``: nothing that was known only later is read.
        memory: limit for DuckDB; what does not fit is spilled to the cohort's own disk.
        keep_going: read a truncated packed file up to its break.

    Returns:
        The cohort; untouched where the same inputs and settings made it before.

    Raises:
        InputError: for anything wrong with the input or the place to write to; nothing is then left behind.
    """
    _check_cut_off(until, note_policy)
    hospital = open_hospital(directory, layout, notes=notes)
    split_file = _split_file(splits, directory)
    label_set = load_phenotypes() if labels is None else read_label_set(labels)
    definitions = choose_series(series)
    own_items = read_items(items, definitions) if items is not None else ()
    plan = Plan(
        split_file, split, seed, note_policy, label_set, definitions, own_items, _UNTIL[until], memory, keep_going
    )
    _check_place(out)
    settings = _settings(hospital, plan, until)
    return _read(hospital, directory, notes, out, plan, settings)


def _settings(hospital: Hospital, plan: Plan, until: str) -> dict[str, JsonValue]:
    """Give what was asked for, as far as the cohort depends on it."""
    return {
        "layout": hospital.name,
        "seed": plan.seed,
        "note_policy": plan.note_policy,
        "split": plan.split,
        "until": until,
        "keep_going": plan.keep_going,
        "labels": fingerprint(write_label_set(plan.labels)),
        "series": fingerprint([write_series(plan.series), [str(item) for item in plan.items]]),
    }


def _read(
    hospital: Hospital, directory: Path, notes: Path | None, out: Path, plan: Plan, settings: dict[str, JsonValue]
) -> Cohort:
    """Make the cohort, unless it is there."""
    sources = _hash_files(hospital.tables, plan.split_file, directory)
    key = fingerprint(
        {"settings": settings, "sources": sources, "data": _data_files(), "code": [FORMAT, _CODE_VERSION]}
    )
    if _is_current(out, key):
        say(f"{out} is up to date")
        return Cohort.open(out)
    for name in hospital.absent:
        say(f"{name} is not there and left out")
    terms = data_use(directory)
    source: dict[str, JsonValue] = {
        "layout": hospital.name,
        "directory": str(directory.resolve()),
        "notes": str(notes.resolve()) if notes is not None else None,
        "files": sources,
        "absent": list(hospital.absent),
    }
    manifest: dict[str, JsonValue] = {
        "kind": KIND,
        "fingerprint": key,
        "settings": settings,
        "source": source,
        "seeds": {"splits": plan.seed, "folds": plan.seed + 1},
        **terms,
        "versions": _versions(),
    }
    with library_errors(out), unfinished(out, key) as place:
        cohort = _begin(place, manifest, key)
        protect(cohort, terms)
        fill(hospital, cohort, place / _SCRATCH, plan, key)
        shutil.rmtree(place / _SCRATCH, ignore_errors=True)
    return Cohort.open(out)


def _check_cut_off(until: str, note_policy: NotePolicy) -> None:
    if until not in _UNTIL:
        raise InputError(f"unknown cut-off {until!r}", where="--until", remedy=f"expected {', '.join(_UNTIL)}")
    if _UNTIL[until] is not None and note_policy == "paper":
        raise InputError(
            f"the hospital course was not known after {until}", where="--note-policy", remedy="take admission"
        )


def _split_file(splits: Path | None, directory: Path) -> Path | None:
    path = splits if splits is not None else _default_splits(directory)
    if path is not None and not path.is_file():
        raise InputError("no such file", where=path)
    return path


def _data_files() -> dict[str, JsonValue]:
    """Give the fingerprints of the package's data files that shape a cohort."""
    return {
        path.name: fingerprint(path.read_text(encoding="utf-8"))
        for path in sorted((files("ehr")).iterdir(), key=lambda one: one.name)
        if path.name in _DATA_FILES or path.name.startswith("items_")
    }


def _begin(place: Path, manifest: dict[str, JsonValue], key: str) -> Cohort:
    """Open what a stopped run left, or make an empty cohort."""
    if (place / MANIFEST).is_file() and (place / _SCRATCH).is_dir():
        say("going on where the last run stopped")
        return Cohort(place)
    for path in place.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    cohort = create_cohort(place, manifest)
    (place / _SCRATCH).mkdir(mode=0o700)
    return cohort


def _default_splits(directory: Path) -> Path | None:
    # The second is where a MEDS data set has its own.
    paths = (directory / name for name in ("splits.csv", "metadata/subject_splits.parquet"))
    return next((path for path in paths if path.is_file()), None)


def _check_place(out: Path) -> None:
    """Refuse to replace anything that is not a cohort."""
    with user_errors(out):
        if out.exists() and not out.is_dir():
            raise InputError("is a file; expected a directory to write the cohort to", where=out)
        if not out.is_dir() or not any(out.iterdir()):
            return
    manifest = out / MANIFEST
    if not manifest.is_file() or read_json(manifest).get("kind") != KIND:
        raise InputError("is not empty and no cohort", where=out, remedy="choose another directory")


def _hash_files(tables: Sequence[Table], split_file: Path | None, directory: Path) -> dict[str, JsonValue]:
    paths = sorted({path for table in tables for path in table.paths} | ({split_file} if split_file else set()))
    found: dict[str, JsonValue] = {}
    total = sum(path.stat().st_size for path in paths)
    with bar("hashing the tables (MB)", total=max(1, total >> 20)) as advance:
        for path in paths:
            with user_errors(path):
                name = str(path.relative_to(directory)) if path.is_relative_to(directory) else path.name
                found[name] = {"bytes": path.stat().st_size, "sha256": sha256_file(path)}
            advance(path.stat().st_size >> 20)
    return found


def _is_current(out: Path, key: str) -> bool:
    if not (out / MANIFEST).is_file() or read_json(out / MANIFEST).get("fingerprint") != key:
        return False
    cohort = Cohort(out)
    return all(cohort.is_current(name, key) for name in SCHEMAS)


def _versions() -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {"python": platform.python_version()}
    for name in ("clinragen", "duckdb", "polars", "pyarrow"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "unknown"
    return found

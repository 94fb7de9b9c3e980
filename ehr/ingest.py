"""Reads a hospital's tables into a cohort: bounded memory, equal input to equal bytes, whole or not at all."""

from __future__ import annotations

import fcntl
import importlib.metadata
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import polars as pl

from ehr.cohort import (
    ADMISSIONS_SCHEMA,
    CODES_SCHEMA,
    FOLDS_SCHEMA,
    FORMAT,
    MANIFEST,
    MEDICATIONS_SCHEMA,
    NOTES_SCHEMA,
    SCHEMAS,
    SERIES_SCHEMA,
    Cohort,
    create_cohort,
    library_errors,
)
from ehr.errors import InputError
from ehr.events import series_frames
from ehr.files import JsonValue, atomic_directory, fingerprint, read_json, sha256_file, user_errors
from ehr.hospital import WORK_TABLES, Hospital
from ehr.labels import label_admissions
from ehr.layouts.known import LAYOUTS
from ehr.medications import home_medications
from ehr.phenotypes import load_phenotypes
from ehr.progress import bar, say
from ehr.sections import SECTIONS, NotePolicy, cut_sections
from ehr.splits import draw_folds, draw_splits, patient_counts, read_splits
from ehr.summary import KINDS, SummaryFacts, render_summary
from ehr.tables import Table, Workspace

KIND = "clinragen cohort"
"""What the manifest's ``kind`` says, so that nothing else is ever taken for a cohort and replaced."""

_DATA_FILES = ("phenotypes.toml", "series.csv", "units.csv", "items_mimic_iv.csv")
_CODE_VERSION = 7  # raise where the same input would give another cohort
_NOTE_BATCH = 500


def open_hospital(directory: Path, layout: str) -> Hospital:
    """Open a hospital's directory in the layout that is asked for, or in the one that it shows.

    Raises:
        InputError: for a missing directory, an unknown layout, or a missing table or column.
    """
    if not directory.is_dir():
        raise InputError("no such directory", where=directory)
    names = [known.name for known in LAYOUTS]
    if layout != "auto":
        for known in LAYOUTS:
            if known.name == layout:
                return known.open(directory)
        raise InputError(f"unknown layout {layout!r}", remedy=f"expected auto, {', '.join(names)}")
    for known in LAYOUTS:
        if known.matches(directory):
            return known.open(directory)
    # None matches: opening the first says which file or column is missing.
    return LAYOUTS[0].open(directory)


def ingest(
    directory: Path,
    out: Path,
    *,
    layout: str = "auto",
    splits: Path | None = None,
    seed: int = 0,
    note_policy: NotePolicy = "admission",
) -> Cohort:
    """Read a hospital's tables into a cohort.

    Args:
        directory: the hospital's directory, such as MIMIC-IV's with ``hosp/`` and ``icu/``.
        out: the cohort's directory; an older cohort there is replaced whole once the new one is done.
        layout: ``auto`` or the name of one of `LAYOUTS`.
        splits: file ``subject_id,split``; by default ``splits.csv`` in the directory, else drawn by patient.
        seed: for splits and folds.
        note_policy: which note sections are kept (`ehr.sections`).

    Returns:
        The cohort; untouched where the same inputs and settings made it before.

    Raises:
        InputError: for anything wrong with the input or the place to write to; nothing is then left behind.
    """
    hospital = open_hospital(directory, layout)
    split_file = splits if splits is not None else _default_splits(directory)
    if split_file is not None and not split_file.is_file():
        raise InputError("no such file", where=split_file)
    _check_place(out)
    settings: dict[str, JsonValue] = {"layout": hospital.name, "seed": seed, "note_policy": note_policy}
    sources = _hash_files(hospital.tables, split_file, directory)
    data = {name: fingerprint((files("ehr") / name).read_text(encoding="utf-8")) for name in _DATA_FILES}
    key = fingerprint({"settings": settings, "sources": sources, "data": data, "code": [FORMAT, _CODE_VERSION]})
    if _is_current(out, key):
        say(f"{out} is up to date")
        return Cohort.open(out)
    for name in hospital.absent:
        say(f"{name} is not there and left out")
    manifest: dict[str, JsonValue] = {
        "kind": KIND,
        "fingerprint": key,
        "settings": settings,
        "source": {"layout": hospital.name, "files": sources, "absent": list(hospital.absent)},
        "seeds": {"splits": seed, "folds": seed + 1},
        "data_use": _data_use(directory),
        "simulated": (directory / "truth" / "simulation.json").is_file(),
        "versions": _versions(),
    }
    with library_errors(out):
        _remove_abandoned(out)
    with library_errors(out), atomic_directory(out) as temporary, _claimed(temporary):
        cohort = create_cohort(temporary, manifest)
        scratch = Path(tempfile.mkdtemp(prefix=".work-", dir=temporary))
        try:
            _fill(hospital, cohort, scratch, key, split_file, seed, note_policy)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return Cohort.open(out)


@contextmanager
def _claimed(directory: Path) -> Iterator[None]:
    """Hold a lock on an unfinished cohort; the kernel frees it when its owner ends, however that happens."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _remove_abandoned(out: Path) -> None:
    """Remove what a killed run left unfinished beside the cohort: it is patient data that nobody would find."""
    for path in sorted([*out.parent.glob(f".{out.name}.*.tmp"), *out.parent.glob(f".{out.name}.*.old")]):
        if not (path / MANIFEST).is_file() or read_json(path / MANIFEST).get("kind") != KIND:
            continue
        handle = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue  # another process is at work on it
        else:
            shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(handle)


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


def _data_use(directory: Path) -> str:
    licence = directory / "LICENSE.txt"
    lines = licence.read_text(encoding="utf-8", errors="replace").splitlines() if licence.is_file() else []
    first = next((line.strip() for line in lines if line.strip()), None)
    terms = f"LICENSE.txt of the source: {first}" if first else "the terms under which the source was given"
    return f"{terms}; this cohort and everything made from it falls under the same terms"


def _versions() -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {"python": platform.python_version()}
    for name in ("clinragen", "duckdb", "polars", "pyarrow"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "unknown"
    return found


def _fill(
    hospital: Hospital,
    cohort: Cohort,
    scratch: Path,
    key: str,
    split_file: Path | None,
    seed: int,
    note_policy: NotePolicy,
) -> None:
    workspace = Workspace(scratch)
    try:
        with bar("ingesting", total=6) as advance:
            for table in WORK_TABLES:
                workspace.run(f"CREATE TABLE {table}")
            advance(note="admissions")
            _write_admissions(hospital, workspace, cohort, key, split_file, seed)
            advance(note="labs and vitals")
            hospital.load_events(workspace)
            advance(note="series")
            counts: dict[str, int] = {}
            frames = series_frames(workspace, counts)
            cohort.write_batches("series", frames, SERIES_SCHEMA, key)
            cohort.annotate("series", values=dict(sorted(counts.items())))
            workspace.run("DROP TABLE event")
            advance(note="drugs")
            hospital.load_medications(workspace)
            advance(note="notes")
            _write_notes(hospital, workspace, cohort, key, note_policy)
            _write_medications(workspace, cohort, key)
            advance()
    finally:
        workspace.close()


def _write_admissions(
    hospital: Hospital, workspace: Workspace, cohort: Cohort, key: str, split_file: Path | None, seed: int
) -> None:
    counts: dict[str, JsonValue] = {}
    hospital.load_stays(workspace, counts)
    stays = workspace.frame(
        "SELECT patient_id, admission_id, age, sex, admission_type, length_of_stay_hours, year_group "
        "FROM stay ORDER BY idx"
    )
    if stays["patient_id"].n_unique() < 2:
        where = next(table.paths[0] for table in hospital.tables if table.name.endswith("/admissions"))
        found = stays["patient_id"].n_unique()
        raise InputError(f"{found} patients with admissions; a cohort needs at least two", where=where)
    diagnoses = workspace.frame(
        "SELECT admission_id, code, version FROM diagnosis JOIN stay USING (idx) ORDER BY idx, code, version"
    )
    coded = next((str(table.paths[0]) for table in hospital.tables if "diagnos" in table.name), "diagnoses")
    labels, code_counts = label_admissions(diagnoses, load_phenotypes(), coded)
    rows = stays.with_columns(
        pl.Series("labels", [labels.get(i, []) for i in stays["admission_id"]], dtype=pl.List(pl.String))
    )
    by_patient = patient_counts(rows)
    by_split = read_splits(split_file, sorted(by_patient)) if split_file else draw_splits(by_patient, seed)
    rows = rows.with_columns(pl.Series("split", [by_split[p] for p in rows["patient_id"]], dtype=pl.String))
    without = rows.height - len(labels)
    if without:
        say(f"{without} admissions have no coded diagnosis; they count as having none of the phenotypes")
    cohort.write_table(
        "admissions",
        rows.select(ADMISSIONS_SCHEMA.names()).cast(ADMISSIONS_SCHEMA),
        key,
        **counts,
        patients=len(by_patient),
        admissions_without_codes=without,
        splits=split_file.name if split_file is not None else "drawn, stratified by patient",
        diagnoses=code_counts,
    )
    folds = draw_folds(by_patient, seed)
    frame = pl.DataFrame(sorted(folds.items()), schema=FOLDS_SCHEMA, orient="row")
    cohort.write_table("folds", frame, key)
    cohort.write_batches("codes", workspace.batches(_CODES, 100_000), CODES_SCHEMA, key)


_CODES = r"""
    SELECT admission_id, 'ICD' || trim(version) || 'CM' AS system,
        upper(replace(regexp_replace(code, '\s', '', 'g'), '.', '')) AS code, sequence
    FROM diagnosis JOIN stay USING (idx) WHERE code IS NOT NULL
    ORDER BY idx, sequence NULLS LAST, system, code
"""


def _write_notes(hospital: Hospital, workspace: Workspace, cohort: Cohort, key: str, note_policy: NotePolicy) -> None:
    counts = {"notes": 0, "notes_without_sections": 0, "summaries": 0}
    sections: list[tuple[int, int, str, str, str]] = []
    drugs: list[tuple[int, str, None, bool, str]] = []
    for idx, source_row, text in hospital.notes(workspace):
        found = cut_sections(text, note_policy)
        counts["notes"] += 1
        counts["notes_without_sections"] += not found
        sections += [(idx, SECTIONS.index(name), name, part, "note") for name, part in found.items()]
        taken = home_medications(found.get("medications_on_admission", ""))
        drugs += [(idx, name, None, True, source_row) for name in taken]
        if len(sections) >= _NOTE_BATCH:
            _insert(workspace, sections, drugs)
            sections, drugs = [], []
    _insert(workspace, sections, drugs)
    hospital.load_facts(workspace)
    sections = []
    for idx, text in _summaries(workspace):
        counts["summaries"] += 1
        sections.append((idx, SECTIONS.index("admission_summary"), "admission_summary", text, "summary"))
        if len(sections) >= _NOTE_BATCH:
            _insert(workspace, sections, [])
            sections = []
    _insert(workspace, sections, [])
    query = "SELECT admission_id, section, text, origin FROM section JOIN stay USING (idx) ORDER BY idx, position"
    cohort.write_batches("notes", workspace.batches(query, 10_000), NOTES_SCHEMA, key, **counts)


def _insert(
    workspace: Workspace,
    sections: list[tuple[int, int, str, str, str]],
    drugs: list[tuple[int, str, None, bool, str]],
) -> None:
    names = ("idx", "position", "section", "text", "origin")
    workspace.insert("section", pl.DataFrame(sections, schema=names, orient="row"))
    schema = {
        "idx": pl.Int64,
        "name": pl.String,
        "hours": pl.Float64,
        "before_admission": pl.Boolean,
        "source_row": pl.String,
    }
    workspace.insert("medication", pl.DataFrame(drugs, schema=schema, orient="row"))


def _summaries(workspace: Workspace) -> Iterator[tuple[int, str]]:
    """Render the summaries of the admissions that have no section of a note."""
    lists = ", ".join(f"list(f.text ORDER BY f.hours, f.text) FILTER (f.kind = '{kind}') AS {kind}" for kind in KINDS)
    query = f"""
        SELECT s.idx, any_value(s.age) AS age, any_value(s.sex) AS sex,
               any_value(s.admission_type) AS admission_type, any_value(s.admission_location) AS admission_location,
               {lists}
        FROM stay s ANTI JOIN section n USING (idx) LEFT JOIN fact f USING (idx)
        GROUP BY s.idx ORDER BY s.idx
    """  # noqa: S608 - names of this package
    workspace.run(f"CREATE TABLE summary AS {query}")
    for frame in workspace.batches("SELECT * FROM summary ORDER BY idx", 10_000):
        for row in frame.iter_rows(named=True):
            facts = {kind: row[kind] or () for kind in KINDS}
            known = SummaryFacts(row["age"], row["sex"], row["admission_type"], row["admission_location"], facts)
            text = render_summary(known)
            if text:
                yield row["idx"], text


def _write_medications(workspace: Workspace, cohort: Cohort, key: str) -> None:
    query = (
        "SELECT admission_id, name, hours, before_admission, source_row FROM medication JOIN stay USING (idx) "
        "ORDER BY idx, before_admission DESC, hours, name, source_row"
    )
    cohort.write_batches("medications", workspace.batches(query, 100_000), MEDICATIONS_SCHEMA, key)

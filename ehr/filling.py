"""Fills a cohort step by step from an opened hospital; each step is done once, also when a killed run goes on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from ehr.admissions import write_admissions
from ehr.cohort import Cohort
from ehr.events import choose_items, series_frames
from ehr.files import JsonValue
from ehr.hospital import WORK_TABLES, Hospital
from ehr.items import SeriesItem
from ehr.medications import home_medications
from ehr.mending import MENDED, mend
from ehr.phenotypes import LabelSet
from ehr.progress import Advance, bar, say
from ehr.schemas import MEDICATIONS_SCHEMA, NOTES_SCHEMA, SERIES_SCHEMA
from ehr.sections import SECTIONS, NotePolicy, cut_sections
from ehr.series import SeriesDefinition
from ehr.splits import SplitPolicy
from ehr.summary import KINDS, SummaryFacts, render_summary
from ehr.tables import Workspace

_NOTE_BATCH = 500
_NOTE_TABLES = ("medication", "fact", "section")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for; see `ehr.ingest.ingest`.

    ``until`` is in hours from admission, None for the whole stay.
    """

    split_file: Path | None
    split: SplitPolicy
    seed: int
    note_policy: NotePolicy
    labels: LabelSet
    series: Sequence[SeriesDefinition]
    items: Sequence[SeriesItem]
    until: float | None
    memory: str
    keep_going: bool


def fill(hospital: Hospital, cohort: Cohort, scratch: Path, plan: Plan, key: str) -> None:
    """Read the hospital's tables and write the cohort's.

    Args:
        hospital: opened.
        cohort: new, or as a stopped run left it.
        scratch: directory of the work database, of that run.
        plan: what is asked for.
        key: the cohort's fingerprint.
    """
    workspace = _open(scratch, plan.memory)
    tables = hospital.tables
    try:
        with bar("reading", total=len(tables)) as advance:
            workspace.on_read = _once_each(advance)
            for table in WORK_TABLES:
                workspace.run(f"CREATE TABLE IF NOT EXISTS {table}")
            _look_through(hospital, workspace, scratch, plan.keep_going, advance)
            _step(
                workspace,
                "stays",
                ("stay", "diagnosis", "code_map"),
                lambda: _stays(hospital, workspace, cohort, plan, key),
            )
            if not workspace.is_done("series"):
                # Tables of a hospital whose values are in `event` already are not read again.
                _forget_unkept(workspace, ("event",))
                choose_items(workspace, plan.series, plan.items)
                hospital.load_events(workspace)
                advance(0, note="sorting the series")
                counts: dict[str, int] = {}
                frames = series_frames(workspace, counts, hospital.row_keys)
                cohort.write_batches("series", frames, SERIES_SCHEMA, key)
                cohort.annotate("series", values=dict(sorted(counts.items())))
                workspace.mark_done("series")
                _keep(workspace)
            workspace.run("DROP TABLE IF EXISTS event")
            _step(workspace, "notes", _NOTE_TABLES, lambda: _load_notes(hospital, workspace, cohort, plan))
            _write_notes(workspace, cohort, key)
            _write_medications(workspace, cohort, key)
        _report(cohort, workspace)
    finally:
        workspace.close()


def _open(scratch: Path, memory: str) -> Workspace:
    try:
        return Workspace(scratch, memory=memory)
    except duckdb.Error:
        # A kill at a bad moment may leave a database that cannot be opened: begin anew.
        shutil.rmtree(scratch)
        scratch.mkdir(mode=0o700)
        return Workspace(scratch, memory=memory)


def _once_each(advance: Advance) -> Callable[[str], None]:
    seen: set[str] = set()

    def on_read(name: str) -> None:
        advance(0 if name in seen else 1, note=name)
        seen.add(name)

    return on_read


def _look_through(hospital: Hospital, workspace: Workspace, scratch: Path, keep_going: bool, advance: Advance) -> None:
    """Find files whose bytes are partly broken, and put mended copies in their place."""
    texts = [table for table in hospital.tables if table.columns and not table.is_parquet]
    paths = [(path, table) for table in texts for path in table.paths]
    for number, (path, table) in enumerate(paths):
        copy = scratch / f"mended-{number}.csv"
        step = f"looked through {path}"
        if not workspace.is_done(step):
            advance(0, note=f"looking through {path.name}")
            quoted = table.delimiter == ","
            found = mend(path, len(table.columns), copy, keep_going=keep_going, quoted=quoted)
            for kind, count in sorted(found.items()):
                workspace.note_left_out(path, kind, count)
            workspace.mark_done(step)
        if copy.is_file():
            workspace.read_instead(path, copy)


def _step(workspace: Workspace, name: str, fills: Sequence[str], work: Callable[[], None]) -> None:
    """Do a step unless it is done; what a stopped run left of it is emptied first."""
    if workspace.is_done(name):
        return
    _forget_unkept(workspace, ())
    for table in fills:
        workspace.run(f"DELETE FROM {table}")  # noqa: S608 - names of this package
    work()
    workspace.mark_done(name)
    _keep(workspace)


def _keep(workspace: Workspace) -> None:
    """Note which tables belong to finished steps."""
    workspace.run("CREATE TABLE IF NOT EXISTS kept_table (name VARCHAR)")
    workspace.run("INSERT INTO kept_table SELECT DISTINCT table_name FROM duckdb_tables() WHERE NOT internal")


def _forget_unkept(workspace: Workspace, but: Sequence[str]) -> None:
    """Drop the tables that a layout made for itself in a step that was not finished."""
    own = {table.split(" ", 1)[0] for table in WORK_TABLES} | {"done", "left_out", "kept_table", *but}
    workspace.run("CREATE TABLE IF NOT EXISTS kept_table (name VARCHAR)")
    names = workspace.frame(
        "SELECT table_name FROM duckdb_tables() WHERE NOT internal AND NOT temporary "
        "AND table_name NOT IN (SELECT name FROM kept_table) ORDER BY table_name"
    )["table_name"].to_list()
    for name in names:
        if name not in own:
            workspace.run(f'DROP TABLE "{name}"')


def _stays(hospital: Hospital, workspace: Workspace, cohort: Cohort, plan: Plan, key: str) -> None:
    counts: dict[str, JsonValue] = {}
    hospital.load_stays(workspace, counts)
    hours = "length_of_stay_hours"
    limit = f"least({hours}, {float(plan.until)})" if plan.until is not None else hours
    workspace.run(f"CREATE OR REPLACE TABLE horizon AS SELECT idx, {limit} AS hours FROM stay")  # noqa: S608
    write_admissions(
        hospital,
        workspace,
        cohort,
        key,
        labels=plan.labels,
        series=plan.series,
        split_file=plan.split_file,
        split=plan.split,
        seed=plan.seed,
        counts=counts,
    )


def _report(cohort: Cohort, workspace: Workspace) -> None:
    """Say, on the screen and in the manifest, what could not be read as it stands."""
    found = workspace.left_out()
    for file, kinds in found.items():
        for kind, count in kinds.items():
            what = "lines mended" if kind == MENDED else "records left out"
            say(f"{file}: {count} {what}: {kind}")
    relative: dict[str, JsonValue] = {Path(file).name: dict(kinds) for file, kinds in found.items()}
    cohort.remark(records_left_out=relative)


def _load_notes(hospital: Hospital, workspace: Workspace, cohort: Cohort, plan: Plan) -> None:
    """Fill ``medication``, ``fact`` and ``section``."""
    hospital.load_medications(workspace)
    counts = {"notes": 0, "notes_without_sections": 0, "summaries": 0}
    sections: list[tuple[int, int, str, str, str]] = []
    drugs: list[tuple[int, str, None, bool, str]] = []
    for idx, source_row, text in hospital.notes(workspace):
        found = cut_sections(text, plan.note_policy)
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
    if plan.until is not None:
        workspace.run(f"DELETE FROM fact WHERE hours > {float(plan.until)}")  # noqa: S608
    sections = []
    for idx, text in _summaries(workspace):
        counts["summaries"] += 1
        sections.append((idx, SECTIONS.index("admission_summary"), "admission_summary", text, "summary"))
        if len(sections) >= _NOTE_BATCH:
            _insert(workspace, sections, [])
            sections = []
    _insert(workspace, sections, [])
    workspace.run("CREATE OR REPLACE TABLE note_count (name VARCHAR, n BIGINT)")
    workspace.insert("note_count", pl.DataFrame(list(counts.items()), schema=["name", "n"], orient="row"))


def _write_notes(workspace: Workspace, cohort: Cohort, key: str) -> None:
    query = "SELECT admission_id, section, text, origin FROM section JOIN stay USING (idx) ORDER BY idx, position"
    counts = dict(workspace.frame("SELECT name, n FROM note_count").iter_rows())
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
    known = "before_admission OR medication.hours IS NULL OR horizon.hours IS NULL OR medication.hours <= horizon.hours"
    late = workspace.frame(
        f"SELECT count(*) AS n FROM medication JOIN horizon USING (idx) WHERE NOT ({known})"  # noqa: S608
    ).item()
    query = (
        "SELECT admission_id, name, medication.hours, before_admission, source_row "  # noqa: S608
        f"FROM medication JOIN stay USING (idx) JOIN horizon USING (idx) WHERE {known} "
        "ORDER BY idx, before_admission DESC, medication.hours, name, source_row"
    )
    cohort.write_batches("medications", workspace.batches(query, 100_000), MEDICATIONS_SCHEMA, key, after_cut_off=late)

"""Write a simulated hospital: MIMIC-IV's tables, the splits, and the truth behind them.

Patients are made one by one from random streams of their own and written in batches, so memory does not grow with the
number of admissions and the first patients of a large cohort are those of a small one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import polars as pl

from ehr.errors import InputError
from ehr.files import atomic_directory, fingerprint, read_json, sha256_file, user_errors, write_json
from ehr.progress import bar, say
from ehr.simulator.cases import Case, Patient, count_of, make_patient, stream
from ehr.simulator.dynamics import Measured, measure
from ehr.simulator.events import EXTRA_LABS, ItemTable, event_frames
from ehr.simulator.holdout import HoldOut, draw
from ehr.simulator.layout import Layout
from ehr.simulator.notes import NoteWriter
from ehr.simulator.rows import Rows, Stay, admission_rows, make_stay, patient_row
from ehr.simulator.tables import Tables, load_tables, read_tables_hash
from ehr.simulator.truth import TruthWriter, held_out_pairs

LEAST_ADMISSIONS = 10
LICENCE = "Simulated patients, Apache-2.0: no real person stands behind any row or sentence.\n"
BATCH = 250
"""Patients that are written together; any number gives the same files."""


@dataclass(frozen=True, slots=True)
class SimulationSummary:
    """What a simulation wrote; also ``truth/simulation.json``."""

    directory: Path
    admissions: int
    patients: int
    seed: int
    splits: dict[str, int]
    """Admissions by split."""
    phenotypes: dict[str, int]
    """Admissions by phenotype."""
    rows: dict[str, int]
    """Rows by table."""
    labels_per_admission: float
    intensive_care: float
    """Share of admissions with a stay in intensive care."""
    held_out_pairs: int
    fingerprint: str
    already_there: bool = field(default=False, compare=False)


@dataclass(slots=True)
class _Counts:
    patients: int = 0
    admissions: int = 0
    labels: int = 0
    intensive: int = 0
    splits: dict[str, int] = field(default_factory=dict)
    phenotypes: dict[str, int] = field(default_factory=dict)


def simulate(
    out: Path,
    *,
    admissions: int,
    seed: int,
    stated_pairs: Path | None = None,
) -> SimulationSummary:
    """Simulate admissions and write them in MIMIC-IV's layout.

    The directory is written whole or not at all; where it already holds what these parameters give, nothing is written.

    Args:
        out: directory to write; what stands there is replaced, but only if a simulation wrote it.
        admissions: how many, at least 10.
        seed: everything follows from it.
        stated_pairs: CSV with ``phenotype``, ``concept`` and optionally ``direction`` of what a graph states: the links
            that ``test_links`` holds out are drawn among these. Without it every link may be drawn.

    Returns:
        Counts by split, phenotype and table.

    Raises:
        InputError: fewer than 10 admissions, a negative seed, an unreadable ``stated_pairs``, or a directory that
            cannot be written or holds something else.
    """
    if admissions < LEAST_ADMISSIONS:
        raise InputError(f"{admissions} admissions are too few", remedy=f"ask for {LEAST_ADMISSIONS} or more")
    if seed < 0:
        raise InputError(f"seed {seed} is negative", remedy="give a whole number from 0 on")
    tables = load_tables()
    holdout = draw(tables, seed, stated_pairs)
    mark = fingerprint(
        {
            "admissions": admissions,
            "seed": seed,
            "stated_pairs": None if stated_pairs is None else sha256_file(stated_pairs),
            "tables": read_tables_hash(),
            "format": 1,
        }
    )
    earlier = _earlier(out, mark)
    if earlier is not None:
        say(f"{out}: already simulated with these parameters")
        return earlier
    with user_errors(out), atomic_directory(out) as directory:
        return _write(tables, holdout, directory, out, admissions, seed, mark, BATCH)


def _earlier(out: Path, mark: str) -> SimulationSummary | None:
    """Give the summary of a directory that these parameters already wrote.

    Raises:
        InputError: the directory is not empty and not a simulation's.
    """
    with user_errors(out):
        if not out.exists():
            return None
        if not out.is_dir():
            raise InputError("is a file, not a directory", where=out, remedy="choose another place")
        path = out / "truth" / "simulation.json"
        if not path.exists():
            if any(out.iterdir()):
                raise InputError(
                    "holds files that no simulation wrote", where=out, remedy="choose a new or empty directory"
                )
            return None
    known = read_json(path)
    if known.get("fingerprint") != mark:
        return None
    return SimulationSummary(**{**known, "directory": out, "already_there": True})  # type: ignore[arg-type]


def _write(
    tables: Tables, holdout: HoldOut, directory: Path, out: Path, admissions: int, seed: int, mark: str, batch: int
) -> SimulationSummary:
    """Write everything below ``directory`` and give the summary."""
    counts = _Counts()
    directory.chmod(0o755)
    splits: list[tuple[int, str]] = []
    with Layout(directory) as layout, TruthWriter(directory / "truth", tables) as truth:
        _write_dictionaries(tables, layout)
        writer = NoteWriter(tables)
        items = ItemTable.of(tables)
        with bar("simulate", admissions) as advance:
            for patients in _batches(tables, holdout, seed, admissions, batch):
                _write_batch(tables, layout, truth, writer, items, patients, seed)
                for patient in patients:
                    splits.append((make_stay(patient, patient.cases[0]).subject_id, patient.split))
                    _count(tables, counts, patient)
                advance(sum(len(patient.cases) for patient in patients))
        rows = dict(layout.rows)
    frame = pl.DataFrame(splits, schema=["subject_id", "split"], orient="row")
    (directory / "splits.csv").write_text(frame.write_csv(), encoding="utf-8")
    (directory / "LICENSE.txt").write_text(LICENCE, encoding="utf-8")
    pairs = held_out_pairs(tables, holdout)
    (directory / "truth" / "pairs.csv").write_text(pairs.write_csv(), encoding="utf-8")
    summary = SimulationSummary(
        directory=out,
        admissions=counts.admissions,
        patients=counts.patients,
        seed=seed,
        splits=dict(sorted(counts.splits.items())),
        phenotypes=dict(sorted(counts.phenotypes.items())),
        rows=rows,
        labels_per_admission=round(counts.labels / counts.admissions, 3),
        intensive_care=round(counts.intensive / counts.admissions, 3),
        held_out_pairs=int(pairs["held_out"].sum()),
        fingerprint=mark,
    )
    kept = {key: value for key, value in asdict(summary).items() if key not in {"directory", "already_there"}}
    write_json(directory / "truth" / "simulation.json", kept)
    return summary


def _batches(tables: Tables, holdout: HoldOut, seed: int, admissions: int, batch: int) -> Iterator[list[Patient]]:
    """Give patients in batches until the admissions are reached; the last patient's are cut to fit."""
    index, left = 0, admissions
    while left:
        patients: list[Patient] = []
        while left and len(patients) < batch:
            count = min(count_of(seed, index), left)
            patients.append(make_patient(tables, holdout, seed, index, count))
            left -= count
            index += 1
        yield patients


def _count(tables: Tables, counts: _Counts, patient: Patient) -> None:
    counts.patients += 1
    for case in patient.cases:
        counts.admissions += 1
        counts.labels += len(case.diseases)
        counts.intensive += case.icu is not None
        counts.splits[patient.split] = counts.splits.get(patient.split, 0) + 1
        for place in case.diseases:
            key = tables.diseases[place].id
            counts.phenotypes[key] = counts.phenotypes.get(key, 0) + 1


def _write_batch(
    tables: Tables,
    layout: Layout,
    truth: TruthWriter,
    writer: NoteWriter,
    items: ItemTable,
    patients: list[Patient],
    seed: int,
) -> None:
    rows: Rows = {"hosp/patients": [], "note/discharge": []}
    stays: list[Stay] = []
    measured: list[Measured] = []
    for patient in patients:
        for case in patient.cases:
            stay = make_stay(patient, case)
            stays.append(stay)
            arrival = stay.admitted.hour + stay.admitted.minute / 60
            part, vitals = measure(tables, patient, case, arrival, stream(seed, patient.index, 3, case.number))
            measured.append(part)
            chance = stream(seed, patient.index, 4, case.number)
            for table, more in admission_rows(tables, patient, case, stay, chance).items():
                rows.setdefault(table, []).extend(more)
            text = writer.write(patient, case, vitals, int(chance.integers(2**62)))
            rows["note/discharge"].append(_note_row(case, stay, text))
            truth.add(patient, case, stay)
        rows["hosp/patients"].append(patient_row(patient, stays[-1]))
    for table, listed in rows.items():
        layout.write_rows(table, listed)
    labs, chart = event_frames(tables, items, stays, measured)
    numbered = labs.with_columns(labevent_id=pl.int_range(1, labs.height + 1) + layout.rows["hosp/labevents"])
    layout.write("hosp/labevents", numbered)
    layout.write("icu/chartevents", chart)


def _note_row(case: Case, stay: Stay, text: str) -> dict[str, object]:
    return {
        "note_id": f"{stay.subject_id}-DS-{case.number + 1}",
        "subject_id": stay.subject_id,
        "hadm_id": stay.hadm_id,
        "note_type": "DS",
        "note_seq": case.number + 1,
        "charttime": stay.discharged.replace(hour=0, minute=0, second=0),
        "storetime": stay.discharged,
        "text": text,
    }


def _write_dictionaries(tables: Tables, layout: Layout) -> None:
    """Write the dictionaries of items and codes."""
    titles: dict[tuple[str, int], str] = {}
    for disease in tables.diseases:
        titles |= {(code, 9): disease.name for code in disease.icd9}
        titles |= {(code, 10): disease.name for code in disease.icd10}
    for row in tables.other_codes:
        titles |= {(row["icd9"], 9): row["title"], (row["icd10"], 10): row["title"]}
    layout.write_rows(
        "hosp/d_icd_diagnoses",
        [
            {"icd_code": code, "icd_version": version, "long_title": title}
            for (code, version), title in sorted(titles.items())
        ],
    )
    labs = [(item.itemid, item.label, item.fluid, item.category) for item in tables.items if item.table == "labevents"]
    layout.write_rows(
        "hosp/d_labitems",
        [
            {"itemid": itemid, "label": label, "fluid": fluid, "category": category}
            for itemid, label, fluid, category in sorted([*labs, *EXTRA_LABS])
        ],
    )
    charted = {
        item.itemid: (item.label, item.abbreviation, "chartevents", item.category, item.unit, "Numeric")
        for item in tables.items
        if item.table == "chartevents"
    }
    for row in tables.procedures:
        unit = "min" if row["timed"] == "true" else ""
        charted[int(row["itemid"])] = (
            row["label"],
            row["label"],
            "procedureevents",
            row["category"],
            unit,
            "Processes",
        )
    names = ("label", "abbreviation", "linksto", "category", "unitname", "param_type")
    layout.write_rows(
        "icu/d_items",
        [{"itemid": itemid} | dict(zip(names, values, strict=True)) for itemid, values in sorted(charted.items())],
    )

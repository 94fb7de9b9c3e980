"""Admissions, labels, splits and coded diagnoses of a cohort."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from ehr.cohort import LABELS_FILE, SERIES_FILE, Cohort
from ehr.errors import InputError
from ehr.files import JsonValue, write_text
from ehr.hospital import Hospital
from ehr.label_files import write_label_set
from ehr.labels import CodeReading, read_codes
from ehr.phenotypes import LabelSet
from ehr.progress import say
from ehr.schemas import ADMISSIONS_SCHEMA, CODES_SCHEMA, FOLDS_SCHEMA, UNMAPPED_SCHEMA
from ehr.series import SeriesDefinition, write_series
from ehr.splits import Counts, SplitPolicy, draw_folds, draw_splits, patient_counts, read_splits, temporal_splits
from ehr.tables import Workspace

_LABELS = """
    SELECT idx, list(DISTINCT position ORDER BY position) AS positions
    FROM diagnosis d JOIN reading r ON r.code = d.code AND r.version IS NOT DISTINCT FROM d.version,
         unnest(r.labels) AS u(position)
    GROUP BY idx
"""
_CODES = """
    SELECT DISTINCT stay.admission_id, r.system, r.clean AS code, d.sequence, d.idx
    FROM diagnosis d JOIN reading r ON r.code = d.code AND r.version IS NOT DISTINCT FROM d.version
    JOIN stay USING (idx) ORDER BY d.idx, d.sequence NULLS LAST, r.system, r.clean
"""
_UNMAPPED = """
    SELECT r.system, u.clean AS code, u.reason, count(*) AS rows, count(DISTINCT idx) AS admissions
    FROM diagnosis d JOIN unmapped u ON u.code = d.code AND u.version IS NOT DISTINCT FROM d.version
    JOIN reading r ON r.code = u.code AND r.version IS NOT DISTINCT FROM u.version AND r.clean = u.clean
    GROUP BY ALL ORDER BY rows DESC, r.system, u.clean
"""


def write_admissions(
    hospital: Hospital,
    workspace: Workspace,
    cohort: Cohort,
    key: str,
    *,
    labels: LabelSet,
    series: Sequence[SeriesDefinition],
    split_file: Path | None,
    split: SplitPolicy,
    seed: int,
    counts: dict[str, JsonValue],
) -> None:
    """Write ``admissions``, ``folds``, ``codes`` and ``unmapped_codes``, and the label set that the cohort has.

    Args:
        hospital: its stays and diagnoses are loaded.
        workspace: the work database.
        cohort: where they are written.
        key: the cohort's fingerprint.
        labels: the label set.
        series: the series that are read.
        split_file: splits of the hospital's or the user's own; where there is none they are drawn.
        split: how.
        seed: for that.
        counts: of the layout, for the manifest.

    Raises:
        InputError: for fewer than two patients, an unknown code system, or a cohort without any label.
    """
    stays = workspace.frame(
        "SELECT patient_id, admission_id, age, sex, admission_type, length_of_stay_hours, year_group "
        "FROM stay ORDER BY idx"
    )
    _check_patients(hospital, stays["patient_id"].n_unique())
    reading = _read_codes(hospital, workspace, labels)
    coded = workspace.frame("SELECT count(DISTINCT idx) AS n FROM diagnosis WHERE code IS NOT NULL").item()
    rows = stays.with_columns(_labels(hospital, workspace, labels, stays.height, coded=coded > 0))
    by_patient = patient_counts(rows)
    by_split, how = _splits(rows, by_patient, split_file, split, seed)
    rows = rows.with_columns(pl.Series("split", [by_split[p] for p in rows["patient_id"]], dtype=pl.String))
    without = rows.height - coded
    if without:
        say(f"{without} admissions have no coded diagnosis; they count as having none of the phenotypes")
    write_text(cohort.path / LABELS_FILE, write_label_set(labels))
    write_text(cohort.path / SERIES_FILE, write_series(series))
    cohort.write_table(
        "admissions",
        rows.select(ADMISSIONS_SCHEMA.names()).cast(ADMISSIONS_SCHEMA),
        key,
        **counts,
        patients=len(by_patient),
        admissions_without_codes=without,
        splits=how,
        diagnoses=_code_counts(workspace, reading),
    )
    folds = draw_folds(by_patient, seed)
    cohort.write_table("folds", pl.DataFrame(sorted(folds.items()), schema=FOLDS_SCHEMA, orient="row"), key)
    _write_codes(workspace, cohort, key, reading)


def _labels(hospital: Hospital, workspace: Workspace, labels: LabelSet, admissions: int, *, coded: bool) -> pl.Series:
    """Give the label ids of each admission, in order of ``idx``; refuse a cohort in which none has any."""
    positions = dict(workspace.frame(_LABELS).iter_rows())
    if not positions:
        what = "no admission has a diagnosis of the label set" if coded else "no admission has a coded diagnosis"
        raise InputError(f"{what}; a cohort without labels means nothing", where=_coded(hospital))
    found = [[labels.ids[p] for p in positions.get(i, ())] for i in range(admissions)]
    return pl.Series("labels", found, dtype=pl.List(pl.String))


def _check_patients(hospital: Hospital, found: int) -> None:
    if found < 2:
        named = {table.name.rpartition("/")[2]: table.paths[0] for table in hospital.tables}
        where = named.get("admissions") or named.get("patient") or hospital.tables[0].paths[0]
        raise InputError(f"{found} patients with admissions; a cohort needs at least two", where=where)


def _splits(
    rows: pl.DataFrame, by_patient: Counts, file: Path | None, policy: SplitPolicy, seed: int
) -> tuple[dict[str, str], str]:
    """Give each patient's split, and how it was found, in words."""
    if file is not None:
        return read_splits(file, sorted(by_patient)), file.name
    if policy == "temporal":
        return temporal_splits(rows), "temporal, by the patient's latest admission year group"
    return draw_splits(by_patient, seed), "drawn, stratified by patient"


def _coded(hospital: Hospital) -> str:
    return next((str(table.paths[0]) for table in hospital.tables if "diagnos" in table.name), "diagnoses")


def _read_codes(hospital: Hospital, workspace: Workspace, labels: LabelSet) -> CodeReading:
    counted = workspace.frame(
        "SELECT code, version, count(*) AS len FROM diagnosis WHERE code IS NOT NULL "
        "GROUP BY ALL ORDER BY code, version"
    )
    code_map = workspace.frame("SELECT DISTINCT * FROM code_map ORDER BY ALL")
    reading = read_codes(counted, code_map, labels, _coded(hospital))
    workspace.run(
        "CREATE OR REPLACE TABLE reading "
        "(code VARCHAR, version VARCHAR, system VARCHAR, clean VARCHAR, labels BIGINT[])"
    )
    workspace.insert("reading", reading.codes)
    workspace.run("CREATE OR REPLACE TABLE unmapped (code VARCHAR, version VARCHAR, clean VARCHAR, reason VARCHAR)")
    workspace.insert("unmapped", reading.unmapped)
    return reading


def _write_codes(workspace: Workspace, cohort: Cohort, key: str, reading: CodeReading) -> None:
    cohort.write_batches("codes", workspace.batches(_CODES, 100_000), CODES_SCHEMA, key)
    cohort.write_batches("unmapped_codes", workspace.batches(_UNMAPPED, 100_000), UNMAPPED_SCHEMA, key)
    if reading.unmapped.height:
        say(f"{reading.unmapped.height} codes map to nothing: see unmapped_codes in `clinragen ehr describe`")


def _code_counts(workspace: Workspace, reading: CodeReading) -> dict[str, JsonValue]:
    rows = workspace.frame("SELECT count(*) AS n FROM diagnosis WHERE code IS NOT NULL").item()
    unmapped = workspace.frame(f"SELECT coalesce(sum(rows), 0)::BIGINT AS n FROM ({_UNMAPPED})").item()  # noqa: S608
    written = reading.codes.select("code", "version").unique().height
    inside = reading.codes.filter(pl.col("labels").list.len() > 0).select("code", "version").unique().height
    return {
        "codes": rows,
        "distinct_codes": written,
        "distinct_codes_in_label_set": inside,
        "distinct_codes_unknown": reading.unmapped.height,
        "rows_unknown": unmapped,
        "mended": dict(reading.mended),
    }

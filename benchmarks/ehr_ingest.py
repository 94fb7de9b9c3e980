"""Ingestion of a large hospital beside DuckDB's own sorting of the same files: time, memory, and how both grow.

    python benchmarks/ehr_ingest.py [--rows 10,20,40] [--dir DIR] [--memory 1500MB]

Writes for each size (in millions of rows of the chart) a directory in MIMIC-IV's layout, then runs, each in a process
of its own: `ehr ingest`, and DuckDB's `COPY (SELECT * … ORDER BY hadm_id) TO` Parquet of chartevents and labevents, the
same files with the same memory limit. 40 % of the chart's rows are of items that a series reads, the others are not,
and one row in fifty has a value that is no number. Seconds are wall-clock and CPU; the memory is the largest resident
set.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

ROWS_AN_ADMISSION = 2000
SEED = 0.42
CHART = """
    SELECT 10000000 + a // 2 AS subject_id, 20000000 + (a * 7919) % {admissions} AS hadm_id, 30000000 + a AS stay_id,
           strftime(TIMESTAMP '2150-01-01' + to_seconds(((a * 3571) % 100000) * 600 + (hash(i) % 345600)::BIGINT),
                    '%Y-%m-%d %H:%M:%S') AS charttime,
           NULL AS storetime,
           CASE WHEN hash(i, 1) % 100 < 40 THEN list_extract({items}, 1 + (hash(i, 2) % {count})::BIGINT)
                ELSE (230000 + hash(i, 3) % 2000)::VARCHAR END AS itemid,
           CASE WHEN hash(i, 4) % 50 = 0 THEN 'not done' ELSE (50 + hash(i, 5) % 800 / 10)::VARCHAR END AS value,
           CASE WHEN hash(i, 4) % 50 = 0 THEN NULL ELSE 50 + hash(i, 5) % 800 / 10 END AS valuenum,
           list_extract(['mmHg', 'bpm', '°F', 'mg/dL', '%', NULL], 1 + (hash(i, 6) % 6)::BIGINT) AS valueuom,
           0 AS warning
    FROM (SELECT i, i // {each} AS a FROM range({rows}) r(i))
"""


def generate(root: Path, rows: int) -> None:
    """Write the directory, unless it is there."""
    if (root / "done").is_file():
        return
    shutil.rmtree(root, ignore_errors=True)
    (root / "hosp").mkdir(parents=True)
    (root / "icu").mkdir()
    from ehr.items import load_items

    chart = [item.itemid for item in load_items("mimic_iv") if item.table == "chartevents"]
    admissions = rows // ROWS_AN_ADMISSION
    sql = duckdb.connect()
    sql.execute("SET memory_limit = '2GB'")
    sql.execute("SET enable_progress_bar = false")
    sql.execute(f"SET temp_directory = '{root / 'spill'}'")
    numbers = f"FROM range({admissions}) r(a)"
    queries = {
        "hosp/patients": f"SELECT DISTINCT 10000000 + a // 2 AS subject_id, 'F' AS gender, 60 AS anchor_age, "
        f"2150 AS anchor_year, '2011 - 2013' AS anchor_year_group {numbers} ORDER BY 1",
        "hosp/admissions": f"SELECT 10000000 + a // 2 AS subject_id, 20000000 + (a * 7919) % {admissions} AS hadm_id, "
        "TIMESTAMP '2150-01-01' + to_seconds(((a * 3571) % 100000) * 600) AS admittime, "
        f"TIMESTAMP '2150-01-05' + to_seconds(((a * 3571) % 100000) * 600) AS dischtime {numbers}",
        "hosp/diagnoses_icd": "SELECT 20000000 + a AS hadm_id, d AS seq_num, list_extract(['N179', 'I10', 'J189', "
        "'E119', 'I509', 'Z7901'], 1 + ((a + d * 5) % 6)::BIGINT) AS icd_code, 10 AS icd_version "
        f"{numbers}, range(8) s(d)",
        "hosp/labevents": f"SELECT a * 60 + d AS labevent_id, 10000000 + a // 2 AS subject_id, "
        f"20000000 + (a * 7919) % {admissions} AS hadm_id, "
        "50912 AS itemid, TIMESTAMP '2150-01-01' + to_seconds(((a * 3571) % 100000) * 600 + d * 3600) AS charttime, "
        f"1 + d / 10 AS value, 1 + d / 10 AS valuenum, 'mg/dL' AS valueuom {numbers}, range(60) s(d)",
        "icu/chartevents": CHART.format(
            admissions=admissions, items=chart, count=len(chart), rows=rows, each=ROWS_AN_ADMISSION
        ),
    }
    for name, query in queries.items():
        sql.execute(f"COPY ({query}) TO '{root / name}.csv.gz' (HEADER, COMPRESSION gzip)")
    (root / "done").touch()


def ingest(root: Path, out: Path, memory: str) -> None:
    from ehr.ingest import ingest as run

    run(root, out, memory=memory)


def copy(root: Path, out: Path, memory: str) -> None:
    """DuckDB alone: the two tables of events, sorted by admission, as Parquet."""
    out.mkdir()
    sql = duckdb.connect(str(out / "work.duckdb"))
    sql.execute(f"SET memory_limit = '{memory}'")
    sql.execute(f"SET temp_directory = '{out / 'spill'}'")
    for name in ("icu/chartevents", "hosp/labevents"):
        source = f"read_csv('{root / name}.csv.gz', all_varchar = true, header = true)"
        target = out / f"{Path(name).name}.parquet"
        query = f"SELECT * FROM {source} ORDER BY hadm_id"  # noqa: S608 - names of this file
        sql.execute(f"COPY ({query}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")


def measured(what: str, root: Path, memory: str) -> dict[str, float]:
    """Run one of the two in a process of its own."""
    with tempfile.TemporaryDirectory(dir=root.parent) as place:
        command = [
            sys.executable,
            __file__,
            "--run",
            what,
            "--dir",
            str(root),
            "--out",
            f"{place}/out",
            "--memory",
            memory,
        ]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="10,20,40", help="sizes in millions of rows")
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()) / "ehr_ingest")
    parser.add_argument("--memory", default="1500MB")
    parser.add_argument("--run", choices=["ingest", "copy"])
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.run:
        start = time.perf_counter()
        {"ingest": ingest, "copy": copy}[given.run](given.dir, given.out, given.memory)
        used = resource.getrusage(resource.RUSAGE_SELF)
        seconds = round(time.perf_counter() - start, 1)
        cpu = round(used.ru_utime + used.ru_stime, 1)
        print(json.dumps({"seconds": seconds, "cpu": cpu, "gb": round(used.ru_maxrss / 2**20, 2)}))
        return
    for millions in (float(text) for text in given.rows.split(",")):
        root = given.dir / f"{millions:g}M"
        generate(root, int(millions * 1e6))
        found = {what: measured(what, root, given.memory) for what in ("ingest", "copy")}
        ratio = found["ingest"]["seconds"] / found["copy"]["seconds"]
        print(json.dumps({"million_rows": millions, **found, "ratio": round(ratio, 2)}))


if __name__ == "__main__":
    main()

import errno
import stat
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ehr import files
from ehr.cohort import Cohort, create_cohort
from ehr.errors import InputError
from ehr.schemas import ADMISSIONS_SCHEMA, SERIES_SCHEMA


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    made = create_cohort(_new(tmp_path / "cohort"), {"kind": "test"})
    row = {"age": 50.0, "sex": "F", "admission_type": None, "length_of_stay_hours": None, "year_group": None}
    rows = [
        {
            "patient_id": "p1",
            "admission_id": f"a{i:04d}",
            "labels": ["CCS:2"],
            "split": "train" if i % 3 else "test",
            **row,
        }
        for i in range(2500)
    ]
    made.write_table("admissions", pl.DataFrame(rows, schema=ADMISSIONS_SCHEMA), "f1")
    hours = np.arange(4.0)
    parts = [
        pl.DataFrame(
            {"admission_id": [f"a{i:04d}"] * 4, "code": ["A", "A", "B", "B"], "hours": hours, "value": hours + i}
        )
        for i in range(2500)
    ]
    series = pl.concat(parts).with_columns(
        unit=pl.lit("mg"),
        reference_low=pl.lit(None, pl.Float64),
        reference_high=pl.lit(None, pl.Float64),
        source_row=pl.format("t:{}", pl.col("hours").cast(pl.Int64)),
    )
    made.write_batches("series", [series[:7], series[7:9000], series[9000:]], SERIES_SCHEMA, "f1")
    return made


def _new(path: Path) -> Path:
    path.mkdir()
    return path


def test_directory_is_for_its_owner_alone(cohort: Cohort) -> None:
    assert stat.S_IMODE(cohort.path.stat().st_mode) == 0o700


def test_manifest_knows_tables(cohort: Cohort) -> None:
    tables = cohort.manifest["tables"]
    assert tables == {
        "admissions": {"fingerprint": "f1", "rows": 2500},
        "series": {"fingerprint": "f1", "rows": 10_000},
    }
    assert cohort.is_current("series", "f1") and not cohort.is_current("series", "f2")
    assert not cohort.is_current("findings", "f1")
    cohort.annotate("series", why="x")
    assert cohort.manifest["tables"]["series"]["why"] == "x"  # type: ignore[index,call-overload]


def test_ids_and_admissions(cohort: Cohort) -> None:
    opened = Cohort.open(cohort.path)
    assert len(opened.ids()) == 2500 and opened.ids() == tuple(sorted(opened.ids()))
    assert [a.admission_id for a in opened.admissions("test")] == list(opened.ids("test"))
    assert opened.ids("dev") == ()
    chosen = list(opened.admissions(ids=["a1999", "a0001", "zzz"]))
    assert [a.admission_id for a in chosen] == ["a0001", "a1999"]
    assert [s.code for s in chosen[1].series] == ["A", "B"]
    assert chosen[1].series[1].values.tolist() == [2001.0, 2002.0]
    assert chosen[1].series[1].source_rows == ("t:2", "t:3")
    assert chosen[1].labels == {"CCS:2"} and chosen[1].notes == ()


def test_unknown_admission(cohort: Cohort) -> None:
    with pytest.raises(InputError, match="no admission 'x'"):
        cohort.admission("x")


@pytest.mark.parametrize(
    ("table", "command"),
    [
        ("findings", "kg link"),
        ("subgraphs", "kg retrieve"),
        ("rationales", "distill teach"),
        ("notes", "clinragen ehr ingest DIR --out"),
    ],
)
def test_missing_table_names_the_command(cohort: Cohort, table: str, command: str) -> None:
    with pytest.raises(InputError, match=f"no table '{table}'; run `{command}.*{cohort.path}"):
        cohort.table(table)


def test_open_what_is_no_cohort(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such cohort directory"):
        Cohort.open(tmp_path / "absent")
    with pytest.raises(InputError, match=r"no manifest.json"):
        Cohort.open(tmp_path)
    (tmp_path / "manifest.json").write_text('{"format": 99}')
    with pytest.raises(InputError, match="format is 99"):
        Cohort.open(tmp_path)


def test_damaged_table(cohort: Cohort) -> None:
    cohort.table_path("series").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(InputError, match=r"series\.parquet: damaged table"):
        cohort.table("series")


def test_how_rows_come_in_pieces_does_not_show(cohort: Cohort, tmp_path: Path) -> None:
    rows = cohort.table("series")
    made = []
    for number, size in enumerate((1, 333, 10_000)):
        other = create_cohort(_new(tmp_path / f"c{number}"), {})
        pieces = [rows[start : start + size] for start in range(0, rows.height, size)]
        assert other.write_batches("series", pieces, SERIES_SCHEMA, "f") == 10_000
        made.append(other.table_path("series").read_bytes())
    assert made[0] == made[1] == made[2]


def test_empty_table(cohort: Cohort) -> None:
    assert cohort.write_batches("series", [], SERIES_SCHEMA, "f") == 0
    assert cohort.table("series").schema == SERIES_SCHEMA
    assert cohort.admission("a0001").series == ()


class FullDiskError(OSError):
    def __init__(self) -> None:
        super().__init__(errno.ENOSPC, "No space left on device")


def test_full_disk_is_one_line_and_leaves_no_half_table(cohort: Cohort, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise FullDiskError

    monkeypatch.setattr(files.os, "fsync", full)
    before = cohort.table_path("series").read_bytes()
    with pytest.raises(InputError, match="no space left"):
        cohort.write_table("series", cohort.table("series")[:5], "f2")
    monkeypatch.undo()
    assert cohort.table_path("series").read_bytes() == before
    assert [path.name for path in cohort.path.iterdir() if path.name.endswith(".tmp")] == []
    assert not cohort.is_current("series", "f2")


def test_a_killed_write_does_not_pass_for_the_old_table(cohort: Cohort, monkeypatch: pytest.MonkeyPatch) -> None:
    note = Cohort._note

    def killed(self: Cohort, name: str, entry: object) -> None:
        if entry is not None:
            raise KeyboardInterrupt
        note(self, name, None)

    monkeypatch.setattr(Cohort, "_note", killed)
    with pytest.raises(KeyboardInterrupt):
        cohort.write_table("admissions", cohort.table("admissions")[:5], "f2")
    monkeypatch.undo()
    assert cohort.table("admissions").height == 5
    assert not cohort.is_current("admissions", "f1") and not cohort.is_current("admissions", "f2")

"""Same seed, same bytes; whole or not at all; the beginning of a large cohort is a small one."""

import gzip
from pathlib import Path

import polars as pl
import pytest

import ehr.simulator.hospital as module
from ehr.errors import InputError
from ehr.files import read_json, sha256_file
from ehr.simulator import simulate


def hashes(directory: Path) -> dict[str, str]:
    return {str(path.relative_to(directory)): sha256_file(path) for path in directory.rglob("*") if path.is_file()}


def test_same_seed_same_bytes_whatever_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulate(tmp_path / "one", admissions=60, seed=11)
    monkeypatch.setattr(module, "BATCH", 7)
    simulate(tmp_path / "two", admissions=60, seed=11)
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")
    simulate(tmp_path / "three", admissions=60, seed=12)
    assert hashes(tmp_path / "one")["note/discharge.csv.gz"] != hashes(tmp_path / "three")["note/discharge.csv.gz"]


def test_a_small_cohort_begins_a_large_one(hospital: Path, tmp_path: Path) -> None:
    simulate(tmp_path / "small", admissions=40, seed=3)
    for table in ("hosp/labevents", "note/discharge", "hosp/diagnoses_icd"):
        with gzip.open(tmp_path / "small" / f"{table}.csv.gz") as few, gzip.open(hospital / f"{table}.csv.gz") as many:
            begin = few.read()
            assert many.read(len(begin)) == begin


def test_done_is_not_done_again(tmp_path: Path) -> None:
    first = simulate(tmp_path / "out", admissions=20, seed=1)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    second = simulate(tmp_path / "out", admissions=20, seed=1)
    assert second.already_there
    assert not first.already_there
    assert second == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before
    third = simulate(tmp_path / "out", admissions=21, seed=1)
    assert third.admissions == 21 == pl.read_csv(tmp_path / "out" / "hosp" / "admissions.csv.gz").height


def test_summary_is_written(hospital: Path) -> None:
    known = read_json(hospital / "truth" / "simulation.json")
    assert known["admissions"] == 600
    assert known["seed"] == 3
    assert 0.3 < float(str(known["intensive_care"])) < 0.7


def test_interrupted_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulate(tmp_path / "out", admissions=20, seed=1)
    before = hashes(tmp_path / "out")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "event_frames", interrupt)
    with pytest.raises(KeyboardInterrupt):
        simulate(tmp_path / "out", admissions=20, seed=2)
    assert hashes(tmp_path / "out") == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(("admissions", "seed", "match"), [(9, 0, "too few"), (10, -1, "negative")])
def test_bad_parameters(tmp_path: Path, admissions: int, seed: int, match: str) -> None:
    with pytest.raises(InputError, match=match):
        simulate(tmp_path / "out", admissions=admissions, seed=seed)
    assert not (tmp_path / "out").exists()


def test_foreign_files_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="no simulation wrote"):
        simulate(tmp_path, admissions=10, seed=0)
    with pytest.raises(InputError, match="not a directory"):
        simulate(tmp_path / "thesis.txt", admissions=10, seed=0)
    assert (tmp_path / "thesis.txt").read_text(encoding="utf-8") == "mine"


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError):
        simulate(tmp_path / "file" / "out", admissions=10, seed=0)


def test_ten_admissions_are_enough(tmp_path: Path) -> None:
    assert simulate(tmp_path / "out", admissions=10, seed=0).admissions == 10

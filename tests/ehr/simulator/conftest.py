from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from ehr.simulator import SimulationSummary, simulate

ADMISSIONS = 600


@pytest.fixture(scope="session")
def summary(tmp_path_factory: pytest.TempPathFactory) -> SimulationSummary:
    return simulate(tmp_path_factory.mktemp("simulated") / "hospital", admissions=ADMISSIONS, seed=3)


@pytest.fixture(scope="session")
def hospital(summary: SimulationSummary) -> Path:
    return summary.directory


@pytest.fixture(scope="session")
def truth(hospital: Path) -> pl.DataFrame:
    return pl.read_parquet(hospital / "truth" / "admissions.parquet")


@pytest.fixture(scope="session")
def pairs(hospital: Path) -> pl.DataFrame:
    return pl.read_csv(hospital / "truth" / "pairs.csv")


@pytest.fixture(scope="session")
def notes(hospital: Path) -> Iterator[pl.DataFrame]:
    splits = pl.read_csv(hospital / "splits.csv")
    frame = pl.read_csv(hospital / "note" / "discharge.csv.gz")
    visible = pl.col("text").str.extract(r"(?s)Chief Complaint:(.*?)Brief Hospital Course:", 1).alias("visible")
    yield frame.with_columns(visible).join(splits, on="subject_id")

"""What MIMIC_IV_MEDS makes of the MIMIC-IV demo, against the direct reader; docs/ehr.md explains each difference.

`CLINRAGEN_MEDS_DEMO` names its output directory; the package needs an environment of its own. Skipped without it.
"""

import gzip
import io
import os
from pathlib import Path

import polars as pl
import pytest

from ehr.cohort import Cohort
from ehr.ingest import ingest

DEMO = Path(__file__).parents[2].parent / "shared" / "data" / "patients" / "mimic-iv-demo-2.2"
MEDS = Path(os.environ.get("CLINRAGEN_MEDS_DEMO", "/nonexistent"))
pytestmark = pytest.mark.skipif(not (DEMO.is_dir() and MEDS.is_dir()), reason="no output of MIMIC_IV_MEDS named")

VALUE = ["admission_id", "code", "hours", "value"]
SHARED_REGISTRATION = "22380825"
"""An admission whose registration in the emergency department another admission names, too."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("meds-mimic")


@pytest.fixture(scope="module")
def through_meds(place: Path) -> Cohort:
    return ingest(MEDS, place / "meds")


@pytest.fixture(scope="module")
def direct(place: Path) -> Cohort:
    return ingest(DEMO, place / "direct")


@pytest.fixture(scope="module")
def at_store_time(place: Path) -> Cohort:
    """The demo with what MEDS does not have taken from its labs: the time of drawing, comments and specimens."""
    root = place / "demo"
    for folder in ("hosp", "icu"):
        (root / folder).mkdir(parents=True)
        for path in (DEMO / folder).iterdir():
            (root / folder / path.name).symlink_to(path)
    labs = root / "hosp" / "labevents.csv.gz"
    with gzip.open(labs, "rt") as file:
        frame = pl.read_csv(io.StringIO(file.read()), infer_schema=False)
    nothing = pl.lit(None, dtype=pl.String)
    frame = frame.filter(pl.col("storetime").is_not_null()).with_columns(
        charttime=pl.col("storetime"), comments=nothing, specimen_id=nothing
    )
    labs.unlink()
    frame.write_csv(root / "hosp" / "labevents.csv")
    return ingest(root, place / "stored")


def test_admissions_and_labels_are_the_same(direct: Cohort, through_meds: Cohort) -> None:
    one, two = direct.table("admissions"), through_meds.table("admissions")
    for column in ("admission_id", "patient_id", "sex", "admission_type", "length_of_stay_hours", "labels"):
        assert one[column].equals(two[column]), column
    ages = one.select("admission_id", "age").join(two.select("admission_id", there="age"), on="admission_id")
    other = ages.filter(pl.col("age") != pl.col("there"))
    assert other.height == 5 and set(other["age"]) == {91.0} and other["there"].is_between(91, 95).all()
    assert (
        direct.table("codes")
        .drop("sequence")
        .sort(pl.all())
        .equals(through_meds.table("codes").drop("sequence").sort(pl.all()))
    )


def test_series_are_the_same_but_for_the_time_of_the_labs(at_store_time: Cohort, through_meds: Cohort) -> None:
    one, two = at_store_time.table("series"), through_meds.table("series")
    assert one.join(two, on=VALUE, how="anti").height == 0
    more = two.join(one, on=VALUE, how="anti")
    assert more.height == 19 and set(more["admission_id"]) == {SHARED_REGISTRATION}


def test_vitals_of_the_chart_need_no_such_help(direct: Cohort, through_meds: Cohort) -> None:
    chart = direct.table("series").filter(pl.col("source_row").str.starts_with("chartevents"))
    lost = chart.join(through_meds.table("series"), on=VALUE, how="anti")
    assert lost.height <= 3, "a lab stored at the very minute of a charted value comes before it"

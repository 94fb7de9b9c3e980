"""What a user may choose of a cohort: labels, series, cut-off, splits; and what the cohort then says of itself."""

import base64
import hashlib
import json
import stat
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

import cli
from ehr.cohort import Cohort
from ehr.conversions import conversion
from ehr.errors import InputError
from ehr.leakage import NameFinder, leaks
from ehr.page import write_page
from ehr.phenotypes import load_phenotypes
from ehr.privacy import MAY_LEAVE, may_leave
from ehr.series import choose_series, read_series, write_series
from ehr.splits import temporal_splits
from ehr.trace import trace

CREATININE, GLUCOSE, HR, ODD = 50912, 50931, 220045, 51999
NOON, NEXT_DAY = "2152-01-01 12:00:00", "2152-01-03 12:00:00"


def test_a_label_set_of_ones_own_stays_with_the_cohort(hospital, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "mine.csv"
    path.write_text("id,name,icd9cm,icd10cm\nmy:kidney,kidney,584,N17\nmy:pressure,pressure,401,I10\n")
    cohort = run(labels=path)
    assert cohort.admission("11").labels == {"my:kidney"} and cohort.admission("21").labels == {"my:pressure"}
    assert Cohort.open(cohort.path).label_set().ids == ("my:kidney", "my:pressure")
    with pytest.raises(InputError, match="retrieval knows the 25 phenotypes of the package alone"):
        cohort.need_built_in_labels("retrieval")
    other = run()
    other.need_built_in_labels("retrieval")
    assert other.label_set() == load_phenotypes()


def labs(hospital) -> None:  # type: ignore[no-untyped-def]
    rows = [
        hospital.lab(1, 11, CREATININE, NOON, 2.0),
        hospital.lab(2, 11, CREATININE, NEXT_DAY, 3.0),
        hospital.lab(3, 11, GLUCOSE, NOON, 100),
        hospital.lab(4, 11, ODD, NOON, 0.5, valueuom="g/L"),
    ]
    hospital.write("hosp/labevents", rows)
    hospital.write("icu/chartevents", [hospital.chart(11, HR, NOON, 80)])


def test_series_of_the_paper_and_of_a_file(hospital, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    labs(hospital)
    assert len(choose_series("paper")) == 11
    assert set(run(series="paper").table("series")["code"]) == {"LOINC:2345-7", "LOINC:8867-4"}
    path = tmp_path / "mine.csv"
    path.write_text("code,unit,name\n2160-0,,\nLOINC:99999-9,mg/dL,marker\n")
    items = tmp_path / "items.csv"
    items.write_text(f"table,itemid,code\nlabevents,{ODD},99999-9\n")
    cohort = run(series=str(path), items=items)
    found = cohort.table("series").select("code", "hours", "value", "unit").rows()
    assert found == [
        ("LOINC:2160-0", 2.0, 2.0, "mg/dL"),
        ("LOINC:2160-0", 50.0, 3.0, "mg/dL"),
        ("LOINC:99999-9", 2.0, 50.0, "mg/dL"),
    ]
    assert [one.name for one in cohort.series_set()] == ["creatinine", "marker"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("code\nabc\n", "is no LOINC code"),
        ("code\n99999-9\n", "does not know LOINC:99999-9; give its unit"),
        ("x\n1\n", "columns are x"),
        ("code\n", "no series in it"),
        ("code,low\n2160-0,few\n", "line 2: a limit is no number"),
    ],
)
def test_bad_series_files(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        choose_series(str(tmp_path / "s.csv"))


def test_bad_choice_of_series() -> None:
    with pytest.raises(InputError, match="unknown set of series 'some'; expected paper, all or"):
        choose_series("some")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("labevents,1,1111-1,mg/dL,", "unknown series"),
        ("labevents,1,2160-0,mmHg,", "unit 'mmHg' has no conversion to 'mg/dL'"),
        ("labevents,1,2160-0,,odd", "unknown rule"),
        ("labevents,1,2160-0,,\nlabevents,1,2160-0,,", "stands twice"),
    ],
)
def test_bad_items(run, tmp_path: Path, row: str, message: str) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "i.csv").write_text(f"table,itemid,code,unit,rule\n{row}\n")
    with pytest.raises(InputError, match=message):
        run(items=tmp_path / "i.csv")


def test_series_are_written_and_read_alike(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(write_series(choose_series("all")))
    assert read_series(tmp_path / "s.csv") == choose_series("all")


@pytest.mark.parametrize(
    ("code", "unit", "target", "value", "expected"),
    [
        ("LOINC:8310-5", "[degF]", None, 98.6, 37.0),
        ("LOINC:8310-5", "K", None, 310.15, 37.0),
        ("LOINC:2160-0", "umol/L", None, 88.42, 1.0),  # a table tells it: no dimension does
        ("LOINC:8480-6", "kPa", None, 16, 120.01),
        ("LOINC:8480-6", "cmH2O", None, 100, 73.556),
        ("LOINC:29463-7", "[lb_av]", None, 220.46226, 100.0),
        ("LOINC:29463-7", "oz", None, 3527.396, 100.0),
        ("LOINC:1-1", "uU/mL", "m[IU]/L", 2.5, 2.5),
        ("LOINC:1-1", "uIU/mL", "uU/mL", 2.5, 2.5),
        ("LOINC:1-1", "10*9/L", "10*3/uL", 7.0, 7.0),
        ("LOINC:1-1", "inch", "cm", 10, 25.4),
        ("LOINC:1-1", "pg/mL", "ng/dL", 100, 10.0),
    ],
)
def test_conversions(code: str, unit: str, target: str | None, value: float, expected: float) -> None:
    found = conversion(code, unit, target)
    assert found is not None and found(value) == pytest.approx(expected, rel=1e-3)


def test_units_of_another_kind_do_not_fit() -> None:
    assert conversion("LOINC:1-1", "mg/dL", "mmHg") is None
    assert conversion("LOINC:1-1", "mmol/L", "mg/dL") is None
    assert conversion("LOINC:1-1", "nonsense", "mg/dL") is None


def test_nothing_is_read_from_after_the_cut_off(hospital, run) -> None:  # type: ignore[no-untyped-def]
    labs(hospital)
    drug = {"subject_id": 1, "hadm_id": 11, "pharmacy_id": 1, "drug_type": "MAIN"}
    drugs = [{**drug, "starttime": NOON, "drug": "Heparin"}, {**drug, "starttime": NEXT_DAY, "drug": "Insulin"}]
    hospital.write("hosp/prescriptions", drugs)
    culture = {"hadm_id": 11, "charttime": NOON, "spec_type_desc": "URINE", "org_name": "YEAST", "storetime": NEXT_DAY}
    hospital.write("hosp/microbiologyevents", [culture])
    whole = run()
    assert whole.table("series").height == 4 and whole.table("medications")["name"].to_list() == ["heparin", "insulin"]
    assert "yeast" in whole.admission("11").notes[0].text
    early = run(until="24h")
    assert early.table("series")["hours"].max() == 2.0 and early.table("series").height == 3
    assert early.table("medications")["name"].to_list() == ["heparin"]
    assert "yeast" not in early.admission("11").notes[0].text and "urine" in early.admission("11").notes[0].text
    assert run(until="48h").table("series").height == 3
    with pytest.raises(InputError, match="the hospital course was not known after 24h"):
        run(until="24h", note_policy="paper")
    with pytest.raises(InputError, match="unknown cut-off"):
        run(until="3d")


def frame(*groups: str | None) -> pl.DataFrame:
    return pl.DataFrame({"patient_id": [f"p{i:03}" for i in range(len(groups))], "year_group": list(groups)})


def test_temporal_split_keeps_year_groups_whole() -> None:
    groups = ["2008"] * 40 + ["2011"] * 30 + ["2014"] * 12 + ["2017"] * 18 + [None]
    split = temporal_splits(frame(*groups))
    by_group = {group: {split[f"p{i:03}"] for i, one in enumerate(groups) if one == group} for group in set(groups)}
    assert by_group == {"2008": {"train"}, "2011": {"train"}, "2014": {"dev"}, "2017": {"test"}, None: {"train"}}
    assert set(temporal_splits(frame("a", "b")).values()) == {"train", "test"}
    with pytest.raises(InputError, match="1 year groups of admission"):
        temporal_splits(frame("a", "a", None))


def test_temporal_split_of_a_cohort(run) -> None:  # type: ignore[no-untyped-def]
    cohort = run(split="temporal")
    assert cohort.ids("train") == ("11", "12") and cohort.ids("dev") == ("21",) and cohort.ids("test") == ("31",)


def test_a_cohort_says_under_which_terms_it_came(hospital, run) -> None:  # type: ignore[no-untyped-def]
    (hospital.root / "LICENSE.txt").write_text("PhysioNet Credentialed Health Data License 1.5.0\n")
    cohort = run()
    assert stat.S_IMODE(cohort.path.stat().st_mode) == 0o700
    text = (cohort.path / "README.md").read_text()
    assert "PhysioNet Credentialed Health Data License" in text and "may not be sent" in text
    assert cohort.manifest[MAY_LEAVE] is False and not may_leave(cohort)


def test_every_value_is_traced_to_its_row(hospital, run) -> None:  # type: ignore[no-untyped-def]
    rows = [
        hospital.lab(1, 11, CREATININE, NOON, 2.0, comments="a long remark about Mrs Secret, who is well today"),
        hospital.lab(2, 11, CREATININE, NEXT_DAY, 176.84, valueuom="umol/L"),
    ]
    hospital.write("hosp/labevents", rows)
    charted = [hospital.chart(11, HR, time, value) for time, value in ((NOON, 80), (NEXT_DAY, 90))]
    hospital.write("icu/chartevents", charted)
    cohort = run()
    found = trace(cohort, "11", "creatinine")
    assert [(row["value"], row["source_row"], row["record"]["valuenum"]) for row in found] == [  # type: ignore[index]
        (2.0, "labevents:1", "2.0"),
        (pytest.approx(2.0, abs=1e-4), "labevents:2", "176.84"),
    ]
    assert "Secret" not in json.dumps(found) and "[49 characters" in found[0]["record"]["comments"]  # type: ignore[index]
    assert "Secret" in json.dumps(trace(cohort, "11", "2160-0", include_text=True))
    pulse = trace(cohort, "11", "LOINC:8867-4")
    # The key names a stay and an item; the time says which of its rows.
    assert [(row["value"], row["record"]["value"]) for row in pulse] == [(80.0, "80"), (90.0, "90")]  # type: ignore[index]


def test_trace_of_what_is_not_there(hospital, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    labs(hospital)
    cohort = run()
    with pytest.raises(InputError, match="no admission '99'"):
        trace(cohort, "99", "creatinine")
    with pytest.raises(InputError, match="no series 'height'"):
        trace(cohort, "11", "height")
    assert trace(cohort, "12", "creatinine") == []
    hospital.write("hosp/labevents", [hospital.lab(1, 11, CREATININE, NOON, 7.0)])
    with pytest.raises(InputError, match="is not the file that the cohort was made from"):
        trace(cohort, "11", "creatinine")
    moved = tmp_path / "moved"
    hospital.root.rename(moved)
    with pytest.raises(InputError, match="say where it lies now with --source"):
        trace(cohort, "11", "creatinine")


def test_names_in_the_text() -> None:
    finder = NameFinder(load_phenotypes())
    assert finder.find("No  history of\nHeart failure; COPD.") == {"CCS:108", "CCS:127"}
    assert finder.find("shocked, dmitri, unaki") == set()


def _style_is_allowed(page: str) -> bool:
    """Whether the content security policy names the hash of the style sheet that stands in the page."""
    sheet = page.partition("<style>")[2].partition("</style>")[0]
    return base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode() in page


def test_leakage_and_page(hospital, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    text = "Chief Complaint:\nMr Secret has septic <b>shock</b>\n"
    notes = [{"note_id": str(i), "hadm_id": i, "note_type": "DS", "text": text} for i in (11, 12)]
    hospital.write("note/discharge", notes)
    labs(hospital)
    cohort = run()
    found = {leak.label: leak for leak in leaks(cohort)}["CCS:249"]
    assert (found.bearing, found.bearing_named, found.others, found.others_named) == (1, 1, 3, 1)
    rows = write_page(cohort, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "Secret" not in page and "<script" not in page and page.count("<svg") == 6
    assert "unsafe" not in page and _style_is_allowed(page)
    assert all(str(row["measure"]).replace("&", "&amp;") in page for row in rows if "'" not in str(row["measure"]))


def test_commands(hospital, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    labs(hospital)
    out = str(tmp_path / "c")
    runner = CliRunner()
    done = runner.invoke(cli.app, ["ehr", "ingest", str(hospital.root), "--out", out, "--until", "24h", "--quiet"])
    assert done.exit_code == 0, done.output
    page = tmp_path / "page.html"
    done = runner.invoke(cli.app, ["ehr", "describe", out, "--format", "json", "--html", str(page)])
    assert done.exit_code == 0 and json.loads(done.stdout)[0]["all"] == 3 and page.is_file()
    done = runner.invoke(cli.app, ["ehr", "trace", out, "11", "creatinine", "--format", "json"])
    assert [row["source_row"] for row in json.loads(done.stdout)] == ["labevents:1"]

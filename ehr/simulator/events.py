"""From measurements to rows of ``labevents`` and ``chartevents``: item ids, units as written, flags, errors, texts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from ehr.simulator.dynamics import Measured
from ehr.simulator.rows import Stay
from ehr.simulator.tables import FloatArray, IntArray, Tables

SLIP_RATE = 0.0004
"""Probability of a decimal slip, and again of an artefact near zero."""

CELSIUS_AS_FAHRENHEIT_RATE = 0.006
SPOILED_RATE = 0.002
DUPLICATE_RATE = 0.0015
FRACTION_RATE = 0.25
"""Probability that inspired oxygen is written as a fraction instead of per cent."""

LEAST_REPORTED = {"troponin T": 0.01, "bilirubin": 0.2, "CRP": 0.3, "CK-MB": 1.0, "lactate": 0.4}
"""Below this the laboratory writes ``<0.01`` and no number."""

SPECIMEN_TYPE, HEMATOCRIT, RED_CELL_WIDTH, NITRITE, URINE_GLUCOSE = 52033, 51221, 51277, 51487, 51478
EXTRA_LABS = (
    (SPECIMEN_TYPE, "Specimen Type", "Blood", "Blood Gas"),
    (HEMATOCRIT, "Hematocrit", "Blood", "Hematology"),
    (RED_CELL_WIDTH, "RDW", "Blood", "Hematology"),
    (NITRITE, "Nitrite", "Urine", "Hematology"),
    (URINE_GLUCOSE, "Glucose", "Urine", "Hematology"),
)
"""Laboratory rows that belong to none of the series: a reader must leave them out, or use the specimen's type."""


@dataclass(frozen=True)
class ItemTable:
    """Items of every series as arrays of shape ``(series, most items)``."""

    cumulative: FloatArray
    place: IntArray

    @classmethod
    def of(cls, tables: Tables) -> ItemTable:
        """Sort the items by series; unused cells have a share that no number reaches."""
        most = max(sum(item.series == series for item in tables.items) for series in range(len(tables.series)))
        cumulative = np.full((len(tables.series), most), 2.0)
        place = np.zeros((len(tables.series), most), dtype=np.int64)
        for series in range(len(tables.series)):
            own = [number for number, item in enumerate(tables.items) if item.series == series]
            shares = np.cumsum([tables.items[number].share for number in own])
            cumulative[series, : len(own)] = shares / shares[-1]
            place[series, : len(own)] = own
        return cls(cumulative, place)

    def choose(self, series: IntArray, pick: FloatArray) -> IntArray:
        """Give the item of each measurement, by a uniform number; 0 gives the first."""
        column = (pick[:, None] >= self.cumulative[series]).sum(axis=1)
        chosen: IntArray = self.place[series, column]
        return chosen


def event_frames(
    tables: Tables, items: ItemTable, stays: list[Stay], measured: list[Measured]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Give the rows of ``labevents`` (without id) and ``chartevents`` of some admissions, in time order each."""
    counts = np.array([len(part.hours) for part in measured])
    owner = np.repeat(np.arange(len(stays)), counts)
    hours, series, values, draw, intensive, pick, luck = (
        np.concatenate([getattr(part, name) for part in measured])
        for name in ("hours", "series", "values", "draw", "intensive", "pick", "luck")
    )
    item = items.choose(series, np.where(intensive == 1, pick, 0.0))
    written = _written(tables, item, series, values, luck)
    begins = np.array([stay.admitted for stay in stays], dtype="datetime64[ms]")
    minutes = np.round(hours * 60).astype(np.int64)
    time = begins[owner] + (minutes * 60_000).astype("timedelta64[ms]")
    is_lab = np.array([entry.table == "labevents" for entry in tables.items])[item]
    frame = pl.DataFrame(
        {
            "owner": owner,
            "item": item,
            "series": series,
            "draw": draw,
            "intensive": intensive,
            "charttime": time,
            "written": written,
            "luck": luck,
            "lab": is_lab,
            "subject_id": np.array([stay.subject_id for stay in stays])[owner],
            "hadm_id": np.array([stay.hadm_id for stay in stays])[owner],
            "stay_id": np.array([stay.stay_id for stay in stays])[owner],
        }
    ).join(_item_frame(tables), on="item", how="left", maintain_order="left")
    frame = pl.concat([frame, frame.filter(pl.col("luck") > 1 - DUPLICATE_RATE)])
    return _labs(tables, frame.filter("lab")), _chart(frame.filter(~pl.col("lab")))


def _written(tables: Tables, item: IntArray, series: IntArray, values: FloatArray, luck: FloatArray) -> FloatArray:
    """Give the numbers as somebody wrote them: unit of the item, decimals, rare errors."""
    factor = np.array([entry.factor for entry in tables.items])[item]
    shift = np.array([entry.shift for entry in tables.items])[item]
    decimals = np.array([entry.decimals for entry in tables.series])[series]
    names = [entry.name for entry in tables.series]
    scale = np.power(10.0, decimals)
    rounded = np.round(values * scale) / scale
    written = np.where(factor == 1, rounded, np.round((values * factor + shift) * 10) / 10)
    fahrenheit = (factor != 1) & (series == names.index("temperature"))
    written = np.where(fahrenheit & (luck < CELSIUS_AS_FAHRENHEIT_RATE), np.round(values * 10) / 10, written)
    oxygen = series == names.index("FiO2")
    written = np.where(oxygen & (luck < FRACTION_RATE), np.round(values) / 100, written)
    slipped = ~fahrenheit & ~oxygen & (luck < SLIP_RATE)
    written = np.where(slipped, np.round(written * 10, 2), written)
    artefact = ~fahrenheit & ~oxygen & (luck >= SLIP_RATE) & (luck < 2 * SLIP_RATE)
    return np.where(artefact, np.round(written / 10, 2), written)


def _item_frame(tables: Tables) -> pl.DataFrame:
    names = [entry.name for entry in tables.series]
    return pl.DataFrame(
        {
            "item": np.arange(len(tables.items)),
            "itemid": [entry.itemid for entry in tables.items],
            "valueuom": [entry.unit or None for entry in tables.items],
            "low": [entry.low for entry in tables.items],
            "high": [entry.high for entry in tables.items],
            "least": [LEAST_REPORTED.get(names[entry.series]) for entry in tables.items],
        },
        schema_overrides={"low": pl.Float64, "high": pl.Float64, "least": pl.Float64},
    )


def number_text(column: pl.Expr) -> pl.Expr:
    """Write a number as hospitals do: without a point where there is no fraction."""
    return column.cast(pl.String).str.replace(r"\.0$", "")


def _labs(tables: Tables, frame: pl.DataFrame) -> pl.DataFrame:
    below = (pl.col("least").is_not_null() & (pl.col("written") < pl.col("least"))).fill_null(False)
    spoiled = pl.col("luck").is_between(0.3, 0.3 + SPOILED_RATE)
    none = pl.lit(None, dtype=pl.String)
    abnormal = (pl.col("written") < pl.col("low")) | (pl.col("written") > pl.col("high"))
    main = frame.with_columns(
        value=pl.when(spoiled)
        .then(pl.lit("___"))
        .when(below)
        .then(pl.lit("<") + number_text(pl.col("least")))
        .otherwise(number_text(pl.col("written"))),
        valuenum=pl.when(spoiled | below).then(None).otherwise(pl.col("written")),
        flag=pl.when(abnormal & ~spoiled & ~below).then(pl.lit("abnormal")).otherwise(none),
        comments=pl.when(spoiled).then(pl.lit("HEMOLYZED, SPECIMEN NOT RELIABLE.")).otherwise(none),
    )
    whole = pl.concat([main, *_extra_labs(tables, main)], how="diagonal_relaxed")
    delay = (pl.col("luck") * 90 + 20).cast(pl.Int64)
    return (
        whole.with_columns(
            specimen_id=pl.col("hadm_id") * 100 + pl.col("draw").clip(0, 98),
            storetime=pl.col("charttime") + pl.duration(minutes=delay),
            priority=pl.when(pl.col("intensive") == 1).then(pl.lit("STAT")).otherwise(pl.lit("ROUTINE")),
        )
        .sort("owner", "charttime", "itemid", "luck", maintain_order=True)
        .select(
            "subject_id", "hadm_id", "specimen_id", "itemid", "charttime", "storetime", "value", "valuenum", "valueuom",
            pl.col("low").alias("ref_range_lower"), pl.col("high").alias("ref_range_upper"), "flag", "priority",
            "comments",
        )
    )  # fmt: skip


def _extra_labs(tables: Tables, main: pl.DataFrame) -> list[pl.DataFrame]:
    """Give rows that come with others: hematocrit and red cell width, type of a gas specimen, a urine dipstick."""
    names = [entry.name for entry in tables.series]
    blood = main.filter((pl.col("series") == names.index("hemoglobin")) & pl.col("valuenum").is_not_null())
    gas = main.filter(pl.col("series") == names.index("pH"))
    urine = main.filter(
        (pl.col("series") == names.index("creatinine")) & (pl.col("draw") == 0) & (pl.col("luck") < 0.4)
    )
    kept = ["owner", "subject_id", "hadm_id", "draw", "charttime", "intensive", "luck"]

    def made(rows: pl.DataFrame, itemid: int, unit: str | None, value: pl.Expr, comment: str | None) -> pl.DataFrame:
        return rows.select(
            *kept,
            pl.lit(itemid, dtype=pl.Int64).alias("itemid"),
            pl.lit(unit, dtype=pl.String).alias("valueuom"),
            number_text(value).alias("value") if comment is None else pl.lit(comment, dtype=pl.String).alias("value"),
            (value if comment is None else pl.lit(None, dtype=pl.Float64)).alias("valuenum"),
        )

    arterial = pl.col("luck") < 0.9
    return [
        made(blood, HEMATOCRIT, "%", (pl.col("valuenum") * 3).round(1), None),
        made(blood, RED_CELL_WIDTH, "%", (12.5 + 4 * pl.col("luck")).round(1), None),
        made(gas.filter(arterial), SPECIMEN_TYPE, None, pl.lit(0.0), "ART."),
        made(gas.filter(~arterial), SPECIMEN_TYPE, None, pl.lit(0.0), "VEN."),
        made(urine, NITRITE, None, pl.lit(0.0), "NEG"),
        made(urine, URINE_GLUCOSE, "mg/dL", pl.lit(0.0), "NEG"),
    ]


def _chart(frame: pl.DataFrame) -> pl.DataFrame:
    return (
        frame.with_columns(
            value=number_text(pl.col("written")),
            valuenum=pl.col("written"),
            # The real table has intensive care alone; vitals of the ward stand here without a stay.
            stay_id=pl.when(pl.col("intensive") == 1).then(pl.col("stay_id")).otherwise(None),
            storetime=pl.col("charttime") + pl.duration(minutes=(pl.col("luck") * 30 + 1).cast(pl.Int64)),
            caregiver_id=(pl.col("luck") * 50_000 + 1_000).cast(pl.Int64),
            warning=pl.lit(0),
        )
        .sort("owner", "charttime", "itemid", "luck", maintain_order=True)
        .select(
            "subject_id", "hadm_id", "stay_id", "caregiver_id", "charttime", "storetime", "itemid", "value", "valuenum",
            "valueuom", "warning",
        )
    )  # fmt: skip

"""The simulator's own tables, read and checked once.

Everything that the simulated hospital believes about medicine stands in ``tables/`` beside this module: prevalence and
co-occurrence (``diseases.toml``), findings and their words (``findings.toml``), which disease shows which finding
(``disease_findings.csv``), moves which lab or vital (``disease_series.csv``) and goes with which drug
(``disease_drugs.csv``). Each row says its source, and ``checked`` is true only where that source was opened.
"""

from __future__ import annotations

import csv
import hashlib
import tomllib
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ehr.records import optional_number
from ehr.series import load_series

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

FINDING, SERIES, DRUG = "finding", "series", "drug"
Unit = tuple[str, int, int]
"""What a disease shows: ``(kind, index, sign)``; the sign is 0 but for series (+1 high, -1 low)."""


@dataclass(frozen=True, slots=True)
class Disease:
    """One phenotype: how common, with what, how it shows in stay and codes."""

    id: str
    name: str
    chronic: bool
    prevalence: float
    age: float
    odds: dict[int, float]
    excludes: tuple[int, ...]
    stay_hours: float
    icu: float
    death: float
    icd9: tuple[str, ...]
    icd10: tuple[str, ...]
    names: tuple[str, ...]
    source: str
    checked: bool


@dataclass(frozen=True, slots=True)
class FindingTerm:
    """A finding of notes with its words."""

    key: str
    hpo: str
    section: str
    area: str
    background: float
    train: tuple[str, ...]
    held_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FindingLink:
    """A disease shows a finding with a probability whose logit grows with severity."""

    finding: int
    probability: float
    slope: float
    source: str
    checked: bool


@dataclass(frozen=True, slots=True)
class SeriesLink:
    """A disease moves a series by ``size`` effect units at its peak; in hours from admission, recovery 0 is lasting."""

    series: int
    sign: int
    probability: float
    size: float
    onset: float
    peak: float
    recovery: float
    slope: float
    source: str
    checked: bool


@dataclass(frozen=True, slots=True)
class DrugLink:
    """A disease goes with a drug, taken at home or ordered in hospital."""

    drug: int
    probability: float
    source: str
    checked: bool


@dataclass(frozen=True, slots=True)
class HomeDrug:
    """A drug of the list at admission; ``rxnorm`` may be empty."""

    name: str
    rxnorm: str
    sig: str
    order_name: str
    route: str
    background: float


@dataclass(frozen=True, slots=True)
class WardDrug:
    """A drug ordered in hospital, as MIMIC-IV's prescriptions write it."""

    name: str
    route: str
    dose: str
    unit: str
    drug_type: str
    background: float
    home: int
    """Index of the home drug of the same ingredient, -1 where there is none."""


@dataclass(frozen=True, slots=True)
class SeriesBaseline:
    """A lab or vital of a person without the 25 diseases; ``log`` ones vary by factors."""

    code: str
    name: str
    log: bool
    typical: float
    between: float
    within: float
    unit: float
    decimals: int
    panel: str


@dataclass(frozen=True, slots=True)
class Item:
    """An item id under which a series is written: written value = value * factor + shift."""

    table: str
    itemid: int
    series: int
    share: float
    label: str
    abbreviation: str
    fluid: str
    category: str
    unit: str
    factor: float
    shift: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Tables:
    """All tables, with every reference turned into an index."""

    diseases: tuple[Disease, ...]
    findings: tuple[FindingTerm, ...]
    series: tuple[SeriesBaseline, ...]
    home_drugs: tuple[HomeDrug, ...]
    ward_drugs: tuple[WardDrug, ...]
    finding_links: tuple[tuple[FindingLink, ...], ...]
    series_links: tuple[tuple[SeriesLink, ...], ...]
    home_links: tuple[tuple[DrugLink, ...], ...]
    ward_links: tuple[tuple[DrugLink, ...], ...]
    items: tuple[Item, ...]
    groups: dict[Unit, str]
    limits: FloatArray
    """Shape (series, 2): tightest low and high reference of each series, NaN where there is none."""
    panels: tuple[tuple[str, float, bool], ...]
    suspicion: FloatArray
    """Shape (panels, diseases + 1): probability that a panel is drawn for a disease; the last column without any."""
    procedures: tuple[dict[str, str], ...]
    cultures: tuple[dict[str, str], ...]
    other_codes: tuple[dict[str, str], ...]
    hospital: dict[str, Any]
    words: dict[str, Any]
    disease_index: dict[str, int] = field(default_factory=dict)


def read_rows(name: str) -> list[dict[str, str]]:
    """Read a CSV of ``tables/`` as dictionaries."""
    with (files("ehr.simulator") / "tables" / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_toml(name: str) -> dict[str, Any]:
    """Read a TOML file of ``tables/``."""
    return tomllib.loads((files("ehr.simulator") / "tables" / name).read_text(encoding="utf-8"))


def _diseases() -> tuple[tuple[Disease, ...], dict[str, int]]:
    raw = read_toml("diseases.toml")["phenotype"]
    index = {row["id"]: place for place, row in enumerate(raw)}
    made = []
    for place, row in enumerate(raw):
        odds = {index[key]: float(value) for key, value in row["odds"].items()}
        excludes = tuple(index[key] for key in row["excludes"])
        if any(other >= place for other in (*odds, *excludes)):
            raise ValueError(f"{row['id']}: odds and excludes must name earlier phenotypes")
        numbers = {key: float(row[key]) for key in ("prevalence", "age", "stay_hours", "icu", "death")}
        made.append(
            Disease(
                id=row["id"],
                name=row["name"],
                chronic=bool(row["chronic"]),
                odds=odds,
                excludes=excludes,
                icd9=tuple(row["icd9"]),
                icd10=tuple(row["icd10"]),
                names=tuple(row["names"]),
                source=row["source"],
                checked=bool(row["checked"]),
                **numbers,
            )
        )
    return tuple(made), index


def _findings() -> tuple[FindingTerm, ...]:
    raw = read_toml("findings.toml")
    return tuple(
        FindingTerm(
            key=key,
            hpo=row["hpo"],
            section=row["section"],
            area=row.get("area", ""),
            background=float(row["background"]),
            train=tuple(row["train"]),
            held_out=tuple(row["held_out"]),
        )
        for key, row in raw.items()
    )


def _baselines() -> tuple[SeriesBaseline, ...]:
    return tuple(
        SeriesBaseline(
            code=row["code"],
            name=row["name"],
            log=row["scale"] == "log",
            typical=float(row["typical"]),
            between=float(row["between"]),
            within=float(row["within"]),
            unit=float(row["effect_unit"]),
            decimals=int(row["decimals"]),
            panel=row["panel"],
        )
        for row in read_rows("series_baseline.csv")
    )


def _items(series: dict[str, int]) -> tuple[Item, ...]:
    return tuple(
        Item(
            table=row["table"],
            itemid=int(row["itemid"]),
            series=series[row["code"]],
            share=float(row["share"]),
            label=row["label"],
            abbreviation=row["abbreviation"],
            fluid=row["fluid"],
            category=row["category"],
            unit=row["unit"],
            factor=float(row["factor"]),
            shift=float(row["shift"]),
            low=optional_number(row["reference_low"]),
            high=optional_number(row["reference_high"]),
        )
        for row in read_rows("items.csv")
    )


def _limits(baselines: tuple[SeriesBaseline, ...], items: tuple[Item, ...]) -> FloatArray:
    """Give for each series the tightest reference range of the label set's definition and of its laboratory items."""
    definitions = {definition.code: definition for definition in load_series()}
    limits = np.full((len(baselines), 2), np.nan)
    for place, baseline in enumerate(baselines):
        definition = definitions[baseline.code]
        own = [item for item in items if item.series == place]
        lows = [value for value in (definition.low, *(item.low for item in own)) if value is not None]
        highs = [value for value in (definition.high, *(item.high for item in own)) if value is not None]
        limits[place] = max(lows, default=np.nan), min(highs, default=np.nan)
    return limits


def _groups(findings: dict[str, int], series_names: dict[str, int]) -> dict[Unit, str]:
    signs = {"high": 1, "low": -1, "": 0}
    groups: dict[Unit, str] = {}
    for row in read_rows("equivalents.csv"):
        places = findings if row["kind"] == FINDING else series_names
        groups[(row["kind"], places[row["key"]], signs[row["direction"]])] = row["group"]
    return groups


def _by_disease(rows: list[tuple[int, Any]], count: int) -> tuple[tuple[Any, ...], ...]:
    return tuple(tuple(link for place, link in rows if place == disease) for disease in range(count))


def _finding_links(diseases: dict[str, int], findings: dict[str, int]) -> tuple[tuple[FindingLink, ...], ...]:
    rows = [
        (
            diseases[row["phenotype"]],
            FindingLink(
                findings[row["finding"]],
                float(row["probability"]),
                float(row["severity_slope"]),
                row["source"],
                row["checked"] == "true",
            ),
        )
        for row in read_rows("disease_findings.csv")
    ]
    return _by_disease(rows, len(diseases))


def _series_links(diseases: dict[str, int], series: dict[str, int]) -> tuple[tuple[SeriesLink, ...], ...]:
    rows = [
        (
            diseases[row["phenotype"]],
            SeriesLink(
                series=series[row["code"]],
                sign=1 if row["direction"] == "high" else -1,
                probability=float(row["probability"]),
                size=float(row["size"]),
                onset=float(row["onset_hours"]),
                peak=float(row["peak_hours"]),
                recovery=float(row["recovery_hours"]),
                slope=float(row["severity_slope"]),
                source=row["source"],
                checked=row["checked"] == "true",
            ),
        )
        for row in read_rows("disease_series.csv")
    ]
    return _by_disease(rows, len(diseases))


def _drug_links(kind: str, diseases: dict[str, int], drugs: dict[str, int]) -> tuple[tuple[DrugLink, ...], ...]:
    rows = [
        (
            diseases[row["phenotype"]],
            DrugLink(drugs[row["drug"]], float(row["probability"]), row["source"], row["checked"] == "true"),
        )
        for row in read_rows("disease_drugs.csv")
        if row["kind"] == kind
    ]
    return _by_disease(rows, len(diseases))


def _drugs() -> tuple[tuple[HomeDrug, ...], tuple[WardDrug, ...]]:
    home = tuple(
        HomeDrug(row["drug"], row["rxnorm"], row["sig"], row["order_name"], row["route"], float(row["background"]))
        for row in read_rows("home_drugs.csv")
    )
    ward = []
    for row in read_rows("inpatient_drugs.csv"):
        lower = row["drug"].lower()
        same = [place for place, drug in enumerate(home) if lower.startswith(drug.name.split("-")[0].lower())]
        ward.append(
            WardDrug(
                row["drug"],
                row["route"],
                row["dose"],
                row["unit"],
                row["drug_type"],
                float(row["background"]),
                same[0] if same else -1,
            )
        )
    return home, tuple(ward)


def _suspicion(panels: tuple[tuple[str, float, bool], ...], diseases: dict[str, int]) -> FloatArray:
    places = {name: place for place, (name, _, _) in enumerate(panels)}
    suspicion = np.zeros((len(panels), len(diseases) + 1))
    for row in read_rows("suspicion.csv"):
        if row["panel"] in places:
            column = diseases[row["phenotype"]] if row["phenotype"] else len(diseases)
            suspicion[places[row["panel"]], column] = float(row["probability"])
    return suspicion


def read_tables_hash() -> str:
    """Give a hash of tables and code: what a simulation depends on besides its parameters."""
    digest = hashlib.sha256()
    room = files("ehr.simulator")
    parts = [*room.iterdir(), *(room / "tables").iterdir()]
    for part in sorted(parts, key=lambda part: part.name):
        if part.name.endswith((".py", ".csv", ".toml")):
            digest.update(part.name.encode() + b"\0" + part.read_bytes())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def load_tables() -> Tables:
    """Read every table of the simulator.

    Raises:
        ValueError, KeyError: a table contradicts another one; the tables are part of the program, not of its input.
    """
    diseases, disease_index = _diseases()
    findings = _findings()
    baselines = _baselines()
    by_code = {baseline.code: place for place, baseline in enumerate(baselines)}
    by_name = {baseline.name: place for place, baseline in enumerate(baselines)}
    by_key = {finding.key: place for place, finding in enumerate(findings)}
    home, ward = _drugs()
    items = _items(by_code)
    panels = tuple((row["panel"], float(row["repeat"]), row["once"] == "true") for row in read_rows("panels.csv"))
    return Tables(
        diseases=diseases,
        findings=findings,
        series=baselines,
        home_drugs=home,
        ward_drugs=ward,
        finding_links=_finding_links(disease_index, by_key),
        series_links=_series_links(disease_index, by_code),
        home_links=_drug_links("home", disease_index, {drug.name: place for place, drug in enumerate(home)}),
        ward_links=_drug_links("inpatient", disease_index, {drug.name: place for place, drug in enumerate(ward)}),
        items=items,
        groups=_groups(by_key, by_name),
        limits=_limits(baselines, items),
        panels=panels,
        suspicion=_suspicion(panels, disease_index),
        procedures=tuple(read_rows("procedures.csv")),
        cultures=tuple(read_rows("cultures.csv")),
        other_codes=tuple(read_rows("other_codes.csv")),
        hospital=read_toml("hospital.toml"),
        words=read_toml("words.toml"),
        disease_index=disease_index,
    )

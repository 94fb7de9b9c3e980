"""Which disease-finding links training never shows, and what a patient may show in each split.

For each disease a fifth of its links (at least two) is drawn, from those that ``stated_pairs`` lists where it is given.
Links that mean the same (the word fever, a high temperature) are drawn together.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from ehr.errors import InputError
from ehr.simulator.tables import DRUG, FINDING, SERIES, Tables, Unit, load_tables

SHARE = 0.2
AT_LEAST = 2
DIRECTIONS = {1: "high", -1: "low", 0: ""}


@dataclass(frozen=True, slots=True)
class HoldOut:
    """The draw of one simulation.

    Attributes:
        stated: per disease, the drawn links that its ``test_links`` patients show (and no other of its links).
        withheld: per disease, the drawn links and what means the same: never shown in the other splits' patients.
        units: per disease, all its links with findings, series and drugs taken at home.
    """

    stated: tuple[frozenset[Unit], ...]
    withheld: tuple[frozenset[Unit], ...]
    units: tuple[frozenset[Unit], ...]


@dataclass(frozen=True, slots=True)
class Allowed:
    """What one patient may show.

    ``suppressed`` units never appear, from whatever cause; ``only`` holds, for each disease that is restricted, the
    units that it may express. What has no cause stays at its usual rate in restricted patients: left out, it would
    betray the disease by its absence.
    """

    suppressed: frozenset[Unit]
    only: dict[int, frozenset[Unit]]


def concept_of(tables: Tables, unit: Unit) -> tuple[str, str]:
    """Give concept id and name of a unit; an id of the simulator's own where no ontology has one."""
    kind, place, _ = unit
    if kind == FINDING:
        finding = tables.findings[place]
        return finding.hpo or f"SIMULATOR:{finding.key}", finding.key.replace("_", " ")
    if kind == SERIES:
        return tables.series[place].code, tables.series[place].name
    drug = tables.home_drugs[place]
    return (f"RXNORM:{drug.rxnorm}" if drug.rxnorm else f"SIMULATOR:{drug.name.replace(' ', '_')}"), drug.name


def generating_pairs() -> pl.DataFrame:
    """Give every link by which the simulator's diseases show themselves.

    Returns:
        Columns ``phenotype``, ``kind`` (finding, series, home_drug, inpatient_drug), ``concept`` (HP, LOINC or RXNORM
        CURIE, else ``SIMULATOR:…``), ``direction`` (high, low or empty), ``probability`` (at mean severity), ``name``,
        ``source``, ``checked``.
    """
    tables = load_tables()
    rows: list[tuple[str, str, str, str, float, str, str, bool]] = []
    for place, disease in enumerate(tables.diseases):
        for link in tables.finding_links[place]:
            concept, name = concept_of(tables, (FINDING, link.finding, 0))
            rows.append((disease.id, "finding", concept, "", link.probability, name, link.source, link.checked))
        for move in tables.series_links[place]:
            concept, name = concept_of(tables, (SERIES, move.series, move.sign))
            direction = DIRECTIONS[move.sign]
            rows.append((disease.id, "series", concept, direction, move.probability, name, move.source, move.checked))
        for drug in tables.home_links[place]:
            concept, name = concept_of(tables, (DRUG, drug.drug, 0))
            rows.append((disease.id, "home_drug", concept, "", drug.probability, name, drug.source, drug.checked))
        for drug in tables.ward_links[place]:
            name = tables.ward_drugs[drug.drug].name
            concept = f"SIMULATOR:{name.replace(' ', '_')}"
            rows.append((disease.id, "inpatient_drug", concept, "", drug.probability, name, drug.source, drug.checked))
    columns = ["phenotype", "kind", "concept", "direction", "probability", "name", "source", "checked"]
    return pl.DataFrame(rows, schema=columns, orient="row").sort("phenotype", "kind", "concept", "direction", "name")


def units_of(tables: Tables, disease: int) -> frozenset[Unit]:
    """Give all links of a disease that may be held out: findings, series with direction, drugs taken at home."""
    return frozenset(
        [(FINDING, link.finding, 0) for link in tables.finding_links[disease]]
        + [(SERIES, move.series, move.sign) for move in tables.series_links[disease]]
        + [(DRUG, drug.drug, 0) for drug in tables.home_links[disease]]
    )


def read_stated_pairs(path: Path) -> dict[str, set[tuple[str, str]]]:
    """Read what a graph states: CSV with ``phenotype``, ``concept`` (CURIE or name) and optionally ``direction``.

    Raises:
        InputError: no such file, or a column missing.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = {"phenotype", "concept"} - set(reader.fieldnames or ())
            if missing:
                found = ", ".join(reader.fieldnames or ()) or "nothing"
                raise InputError(f"no column {sorted(missing)[0]!r}, found {found}", where=path)
            stated: dict[str, set[tuple[str, str]]] = {}
            for row in reader:
                key = ((row["concept"] or "").strip().lower(), (row.get("direction") or "").strip().lower())
                stated.setdefault((row["phenotype"] or "").strip(), set()).add(key)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise InputError("no such file", where=path, remedy="expected a CSV of stated pairs") from error
    except UnicodeDecodeError as error:
        raise InputError("not UTF-8 text", where=path, remedy="expected a CSV of stated pairs") from error
    return stated


def _is_stated(tables: Tables, unit: Unit, stated: set[tuple[str, str]] | None) -> bool:
    if stated is None:
        return True
    concept, name = concept_of(tables, unit)
    directions = {DIRECTIONS[unit[2]], ""}
    return any((text.lower(), direction) in stated for text in (concept, name) for direction in directions)


def _same(tables: Tables, unit: Unit, units: Iterable[Unit]) -> frozenset[Unit]:
    """Give the units that mean what ``unit`` means, itself included."""
    group = tables.groups.get(unit)
    return frozenset([unit, *(other for other in units if group and tables.groups.get(other) == group)])


def draw(tables: Tables, seed: int, stated_pairs: Path | None = None) -> HoldOut:
    """Draw the held-out links, by seed, for each disease a fifth of its links and at least two.

    Raises:
        InputError: ``stated_pairs`` cannot be read.
    """
    listed = None if stated_pairs is None else read_stated_pairs(stated_pairs)
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
    everything = set(tables.groups) | {
        unit for place in range(len(tables.diseases)) for unit in units_of(tables, place)
    }
    stated_units, withheld_units, all_units = [], [], []
    for place, disease in enumerate(tables.diseases):
        units = units_of(tables, place)
        mine = None if listed is None else listed.get(disease.id, set())
        order = [unit for unit in sorted(units) if _is_stated(tables, unit, mine)]
        wanted = max(AT_LEAST, round(SHARE * len(units)))
        drawn: set[Unit] = set()
        withheld: set[Unit] = set()
        for index in generator.permutation(len(order)):
            if len(drawn) >= wanted:
                break
            same = _same(tables, order[index], everything)
            drawn |= same & set(order)
            withheld |= same
        stated_units.append(frozenset(drawn))
        withheld_units.append(frozenset(withheld))
        all_units.append(units)
    return HoldOut(tuple(stated_units), tuple(withheld_units), tuple(all_units))


def allowed(holdout: HoldOut, diseases: Iterable[int], split: str) -> Allowed:
    """Give what a patient with these diseases (of all the patient's admissions) may show in a split."""
    present = sorted(diseases)
    if split != "test_links":
        never: frozenset[Unit] = frozenset().union(*(holdout.withheld[disease] for disease in present))
        return Allowed(never, {})
    only: dict[int, frozenset[Unit]] = {}
    for disease in present:
        stated = holdout.stated[disease]
        if stated:
            # What another disease of this patient shows in training too would lead there without the graph.
            others = (holdout.units[other] - holdout.stated[other] for other in present if other != disease)
            only[disease] = stated.difference(*others) or stated
    return Allowed(frozenset(), only)

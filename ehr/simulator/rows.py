"""Rows of the tables about stays, codes, drugs, cultures and procedures: one patient's, as dictionaries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from ehr.simulator.cases import Case, Patient
from ehr.simulator.tables import Tables

YEAR_GROUPS = ("2008 - 2010", "2011 - 2013", "2014 - 2016", "2017 - 2019")
ICD10_FROM = 2015.75
"""1 October 2015: the year, in real time, from which hospitals of the United States code in ICD-10-CM."""

Row = dict[str, object]
Rows = dict[str, list[Row]]

_TRANSFERS = 8


@dataclass(frozen=True, slots=True)
class Stay:
    """Ids and times of one admission."""

    subject_id: int
    hadm_id: int
    stay_id: int
    admitted: datetime
    discharged: datetime
    icu: tuple[datetime, datetime] | None
    icd_version: int

    def at(self, hours: float) -> datetime:
        """Give the time so many hours after admission, to the minute."""
        return (self.admitted + timedelta(hours=hours)).replace(second=0, microsecond=0)


def subject_id(patient: Patient) -> int:
    """Give a patient's id."""
    return 10_000_000 + 7 * patient.index + 13


def make_stay(patient: Patient, case: Case) -> Stay:
    """Give ids and shifted dates of an admission."""
    number = 5 * patient.index + case.number
    days = patient.first_day + case.days_before
    admitted = datetime(patient.anchor_year, 1, 1) + timedelta(days=days)
    admitted = admitted.replace(second=0, microsecond=0)
    icu = None
    if case.icu:
        icu = (admitted + timedelta(hours=case.icu[0]), admitted + timedelta(hours=case.icu[1]))
    real_year = patient.real_year + days / 365.25
    return Stay(
        subject_id=subject_id(patient),
        hadm_id=20_000_000 + 3 * number + 1,
        stay_id=30_000_000 + _TRANSFERS * number + 2,
        admitted=admitted,
        discharged=(admitted + timedelta(hours=case.stay_hours)).replace(second=0),
        icu=icu,
        icd_version=10 if real_year >= ICD10_FROM else 9,
    )


def choose(shares: Mapping[str, float], generator: np.random.Generator) -> str:
    """Choose a key by its share."""
    names = list(shares)
    weights = np.array(list(shares.values()))
    return names[int(np.searchsorted(np.cumsum(weights), generator.random() * weights.sum()))]


def patient_row(patient: Patient, last: Stay) -> Row:
    """Give the row of ``patients``."""
    return {
        "subject_id": subject_id(patient),
        "gender": "F" if patient.female else "M",
        "anchor_age": patient.anchor_age,
        "anchor_year": patient.anchor_year,
        "anchor_year_group": YEAR_GROUPS[patient.group],
        "dod": last.discharged.strftime("%Y-%m-%d") if patient.cases[-1].died else None,
    }


def admission_rows(tables: Tables, patient: Patient, case: Case, stay: Stay, generator: np.random.Generator) -> Rows:
    """Give the rows of one admission in every table without measurements."""
    rows: Rows = {}
    ids: Row = {"subject_id": stay.subject_id, "hadm_id": stay.hadm_id}
    emergency = generator.random() < 0.75
    rows["hosp/admissions"] = [ids | _admission(tables, case, stay, emergency, generator)]
    rows["hosp/diagnoses_icd"] = [ids | row for row in _diagnoses(tables, case, stay, generator)]
    rows["hosp/services"] = [ids | _service(tables, case, stay, generator)]
    unit, transfers = _transfers(tables, case, stay, emergency, generator)
    rows["hosp/transfers"] = [ids | row for row in transfers]
    rows["hosp/prescriptions"] = [ids | row for row in _prescriptions(tables, case, stay, generator)]
    rows["hosp/microbiologyevents"] = [ids | row for row in _cultures(tables, case, stay, generator)]
    if stay.icu:
        days = (stay.icu[1] - stay.icu[0]).total_seconds() / 86_400
        rows["icu/icustays"] = [
            ids
            | {
                "stay_id": stay.stay_id,
                "first_careunit": unit,
                "last_careunit": unit,
                "intime": stay.icu[0],
                "outtime": stay.icu[1],
                "los": round(days, 6),
            }
        ]
        rows["icu/procedureevents"] = [
            ids | {"stay_id": stay.stay_id} | row for row in _procedures(tables, case, stay, stay.icu, generator)
        ]
    return rows


def _own(case: Case, disease: int) -> bool:
    """Say whether a disease leaves traces in services, units, cultures and procedures (not if held to unseen links)."""
    return disease in case.diseases and disease not in case.limits.only


def _admission(tables: Tables, case: Case, stay: Stay, emergency: bool, generator: np.random.Generator) -> Row:
    shares = tables.hospital["shares"]
    arrival = stay.at(-float(generator.uniform(2, 8))) if emergency else None
    return {
        "admittime": stay.admitted,
        "dischtime": stay.discharged,
        "deathtime": stay.discharged if case.died else None,
        "admission_type": "EW EMER." if emergency else choose(shares["admission_type"], generator),
        "admit_provider_id": f"P{int(generator.integers(10, 100))}SIM",
        "admission_location": "EMERGENCY ROOM" if emergency else choose(shares["admission_location"], generator),
        "discharge_location": "DIED" if case.died else choose(shares["discharge_location"], generator),
        "insurance": choose(shares["insurance"], generator),
        "language": choose(shares["language"], generator),
        "marital_status": choose(shares["marital_status"], generator),
        "race": choose(shares["race"], generator),
        "edregtime": arrival,
        "edouttime": stay.at(float(generator.uniform(0, 1.5))) if emergency else None,
        "hospital_expire_flag": int(case.died),
    }


def _diagnoses(tables: Tables, case: Case, stay: Stay, generator: np.random.Generator) -> list[Row]:
    """Code the admission: one code a phenotype, sometimes two, among codes of nothing that matters here."""
    coded: list[str] = []
    for place in case.diseases:
        disease = tables.diseases[place]
        codes = disease.icd9 if stay.icd_version == 9 else disease.icd10
        weights = 0.6 ** np.arange(len(codes))
        count = 2 if len(codes) > 1 and generator.random() < 0.12 else 1
        drawn = generator.choice(len(codes), size=count, replace=False, p=weights / weights.sum())
        coded += [codes[int(code)] for code in drawn]
    key = "icd9" if stay.icd_version == 9 else "icd10"
    coded += [row[key] for row in tables.other_codes if generator.random() < float(row["probability"])]
    order = generator.permutation(len(coded))
    return [
        {"seq_num": number, "icd_code": coded[int(place)], "icd_version": stay.icd_version}
        for number, place in enumerate(order, 1)
    ]


def _service(tables: Tables, case: Case, stay: Stay, generator: np.random.Generator) -> Row:
    service = choose(tables.hospital["shares"]["service"], generator)
    for key, name in tables.hospital["service_of"].items():
        if _own(case, tables.disease_index[key]) and generator.random() < 0.45:
            service = name
    return {"transfertime": stay.at(0.05), "prev_service": None, "curr_service": service}


def _transfers(
    tables: Tables, case: Case, stay: Stay, emergency: bool, generator: np.random.Generator
) -> tuple[str, list[Row]]:
    shares = tables.hospital["shares"]
    ward = choose(shares["ward"], generator)
    unit = choose(shares["unit"], generator)
    for key, name in tables.hospital["unit_of"].items():
        if _own(case, tables.disease_index[key]) and generator.random() < 0.45:
            unit = name
    spans: list[tuple[str, str | None, datetime, datetime | None]] = []
    if emergency:
        spans.append(("ED", "Emergency Department", stay.at(-3), stay.admitted))
    if stay.icu:
        spans.append(("admit", ward, stay.admitted, stay.icu[0]))
        spans.append(("transfer", unit, *stay.icu))
        spans.append(("transfer", ward, stay.icu[1], stay.discharged))
    else:
        spans.append(("admit", ward, stay.admitted, stay.discharged))
    spans.append(("discharge", None, stay.discharged, None))
    rows: list[Row] = []
    for number, (kind, careunit, begin, end) in enumerate(spans):
        place = 2 if careunit == unit and stay.icu and begin == stay.icu[0] else number + 3
        rows.append(
            {
                "transfer_id": stay.stay_id - 2 + place % _TRANSFERS,
                "eventtype": kind,
                "careunit": careunit,
                "intime": begin,
                "outtime": end,
            }
        )
    return unit, rows


def _prescriptions(tables: Tables, case: Case, stay: Stay, generator: np.random.Generator) -> list[Row]:
    orders: list[tuple[float, str, str, str, str, str]] = []
    for place in sorted(case.home_drugs):
        home = tables.home_drugs[place]
        if generator.random() < 0.7:
            dose, *unit = home.sig.split(" ")[:2]
            orders.append((generator.uniform(0.5, 10), home.order_name, home.route, dose, "".join(unit), "MAIN"))
    for place in sorted(case.ward_drugs):
        drug = tables.ward_drugs[place]
        for _ in range(1 + int(generator.random() < 0.25)):
            start = float(min(generator.exponential(10.0), case.stay_hours - 2))
            orders.append((start, drug.name, drug.route, drug.dose, drug.unit, drug.drug_type))
    rows: list[Row] = []
    for number, (start, drug_name, route, dose, unit_name, drug_type) in enumerate(sorted(orders), 1):
        end = min(start + 24.0 * float(generator.integers(1, 6)), case.stay_hours)
        rows.append(
            {
                "pharmacy_id": stay.hadm_id * 100 + number,
                "poe_id": f"{stay.subject_id}-{case.number * 100 + number}",
                "poe_seq": case.number * 100 + number,
                "starttime": stay.at(start),
                "stoptime": stay.at(end),
                "drug_type": drug_type,
                "drug": drug_name,
                "dose_val_rx": dose,
                "dose_unit_rx": unit_name,
                "route": route,
            }
        )
    return rows


def _cultures(tables: Tables, case: Case, stay: Stay, generator: np.random.Generator) -> list[Row]:
    rows: list[Row] = []
    wanted: dict[str, tuple[dict[str, str], float]] = {}
    for row in tables.cultures:
        if not row["phenotype"] or _own(case, tables.disease_index[row["phenotype"]]):
            drawn = generator.random() < float(row["ordered"])
            positive = float(row["positive"])
            if drawn and positive >= wanted.get(row["test"], (row, 0.0))[1]:
                wanted[row["test"]] = (row, positive)
    for number, (row, positive) in enumerate(wanted.values(), 1):
        time = float(generator.uniform(0, min(40.0, case.stay_hours)))
        grown = generator.random() < positive
        organism = choose(tables.hospital["shares"]["organism"], generator).split(":") if grown else [None, None]
        collected = stay.at(time)
        stored = stay.at(time + 24 * float(generator.integers(1, 5)))
        rows.append(
            {
                "microevent_id": stay.hadm_id * 10 + number,
                "micro_specimen_id": stay.hadm_id * 10 + number,
                "chartdate": collected.replace(hour=0, minute=0),
                "charttime": collected,
                "spec_itemid": int(row["spec_itemid"]),
                "spec_type_desc": row["specimen"],
                "test_seq": 1,
                "storedate": stored.replace(hour=0, minute=0),
                "storetime": stored,
                "test_itemid": int(row["test_itemid"]),
                "test_name": row["test"],
                "org_itemid": organism[0],
                "org_name": organism[1],
                "isolate_num": 1 if grown else None,
                "comments": None if grown else "No growth.",
            }
        )
    return rows


def _procedures(
    tables: Tables, case: Case, stay: Stay, icu: tuple[datetime, datetime], generator: np.random.Generator
) -> list[Row]:
    rows: list[Row] = []
    done: set[str] = set()
    hours = (icu[1] - icu[0]).total_seconds() / 3600
    for number, row in enumerate(tables.procedures, 1):
        mine = not row["phenotype"] or _own(case, tables.disease_index[row["phenotype"]])
        if not mine or generator.random() >= float(row["probability"]) or row["itemid"] in done:
            continue
        done.add(row["itemid"])
        begin = icu[0] + timedelta(minutes=int(60 * generator.uniform(0, 0.3 * hours)))
        timed = row["timed"] == "true"
        minutes = int(60 * generator.uniform(0.3, 0.7) * hours) if timed else 1
        end = begin + timedelta(minutes=minutes)
        rows.append(
            {
                "caregiver_id": int(generator.integers(1000, 99_999)),
                "starttime": begin,
                "endtime": end,
                "storetime": end,
                "itemid": int(row["itemid"]),
                "value": minutes,
                "valueuom": "min" if timed else None,
                "orderid": stay.hadm_id * 10 + number,
                "linkorderid": stay.hadm_id * 10 + number,
                "ordercategoryname": row["category"],
                "ordercategorydescription": "ContinuousProcess" if timed else "Task",
                "isopenbag": 0,
                "continueinnextdept": 0,
                "statusdescription": "FinishedRunning",
                "ORIGINALAMOUNT": float(minutes),
                "ORIGINALRATE": 1,
            }
        )
    return rows

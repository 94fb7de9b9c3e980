"""OMOP tables made of Synthea's 27 patients: SNOMED, LOINC and RxNorm codes that nobody here wrote.

The mapping to OMOP is this test's own and plain (every encounter is called an inpatient visit, since Synthea observes
little in its few stays; a condition is coded at every encounter at which it is active); the patients, their codes,
units and times are Synthea's. Skipped where they are not beside the checkout.
"""

import csv
from pathlib import Path

import pytest

from ehr.cohort import Cohort
from ehr.ingest import ingest
from ehr.items import load_items
from tests.ehr import omop_builder as builder

SYNTHEA = Path(__file__).parents[2].parent / "shared" / "data" / "patients" / "synthea"
pytestmark = pytest.mark.skipif(not SYNTHEA.is_dir(), reason="Synthea's patients are not beside the checkout")


# This test's own mapping of some of these patients' conditions; no published map was consulted.
ICD = {
    "59621000": ["I10"],
    "55822004": ["E78.5"],
    "53741008": ["I25.10", "I25.9"],
    "44054006": ["E11.9"],
    "399211009": ["I25.2"],
    "271737000": ["D64.9"],
    "88805009": ["I50.9", "I50.22"],
    "431855005": ["N18.1"],
}


def read(name: str) -> list[dict[str, str]]:
    with (SYNTHEA / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


class Ids:
    """Numbers for what Synthea names by UUIDs and codes; half of them negative."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.found: dict[str, int] = {}

    def __call__(self, key: str) -> int:
        number = self.found.setdefault(key, len(self.found) + 1)
        return self.start + number if number % 2 else -self.start - number


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("synthea") / "omop"
    made = builder.OmopBuilder(root)
    person, visit, concept = Ids(10**12), Ids(10**15), Ids(4_000_000)
    concepts = {}

    def known(vocabulary: str, code: str, name: str) -> int:
        key = abs(concept(f"{vocabulary} {code}"))
        concepts[key] = builder.concept(key, vocabulary, code, name)
        return key

    sexes = {"F": 8532, "M": 8507}
    people = read("patients")
    made.write(
        "person",
        [
            {
                "person_id": person(row["Id"]),
                "gender_concept_id": sexes[row["GENDER"]],
                "year_of_birth": row["BIRTHDATE"][:4],
                "birth_datetime": row["BIRTHDATE"],
            }
            for row in people
        ],
        suffix=".parquet",
    )
    encounters = read("encounters")
    visits = [builder.visit(visit(e["Id"]), person(e["PATIENT"]), e["START"], e["STOP"]) for e in encounters]
    made.write("visit_occurrence", visits, suffix=".parquet")
    conditions = [
        builder.condition(
            number,
            visit(e["Id"]),
            known("SNOMED", c["CODE"], c["DESCRIPTION"]),
            c["CODE"],
            condition_type_concept_id=32817,
        )
        | {"person_id": person(c["PATIENT"]), "condition_start_date": c["START"]}
        for number, (e, c) in enumerate(active())
    ]
    made.write("condition_occurrence", conditions)
    measurements = [
        builder.measured(
            -number,
            visit(o["ENCOUNTER"]) if o["ENCOUNTER"] else "",
            known("LOINC", o["CODE"], o["DESCRIPTION"]),
            o["DATE"],
            o["VALUE"] if o["TYPE"] == "numeric" else "",
            value_source_value=o["VALUE"],
            unit_concept_id=known("UCUM", o["UNITS"], o["UNITS"]) if o["UNITS"] else 0,
        )
        | {"person_id": person(o["PATIENT"])}
        for number, o in enumerate(read("observations"), start=1)
    ]
    made.write("measurement", measurements, suffix=".parquet")
    drugs = [
        {
            "drug_exposure_id": number,
            "person_id": person(m["PATIENT"]),
            "drug_concept_id": known("RxNorm", m["CODE"], m["DESCRIPTION"]),
            "drug_exposure_start_datetime": m["START"],
            "visit_occurrence_id": visit(m["ENCOUNTER"]),
            "drug_source_value": m["CODE"],
        }
        for number, m in enumerate(read("medications"))
    ]
    made.write("drug_exposure", drugs)
    relations = [
        builder.maps(known("ICD10CM", icd, icd), known("SNOMED", code, code))
        for code, icds in ICD.items()
        for icd in icds
    ]
    made.write("concept_relationship", relations, suffix=".tab.csv")
    made.write("concept", list(concepts.values()), suffix=".tab.csv")
    return root


def active() -> list[tuple[dict[str, str], dict[str, str]]]:
    """Every encounter with every condition that is active at it."""
    conditions = read("conditions")
    return [
        (e, c)
        for e in read("encounters")
        for c in conditions
        if c["PATIENT"] == e["PATIENT"] and c["START"] <= e["START"][:10] and e["START"][:10] <= (c["STOP"] or "9999")
    ]


@pytest.fixture(scope="module")
def cohort(tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return ingest(tables, tmp_path_factory.mktemp("synthea-cohort") / "cohort")


def test_every_encounter_is_an_admission(cohort: Cohort) -> None:
    frame = cohort.table("admissions")
    assert (frame.height, frame["patient_id"].n_unique()) == (len(read("encounters")), 27)
    assert frame["age"].null_count() == 0 and set(frame["sex"]) == {"F", "M"}
    assert (frame["length_of_stay_hours"] > 0).all()
    assert any(key.startswith("-") for key in cohort.ids()) and any(key.startswith("1") for key in cohort.ids())


def test_labels_through_snomed(cohort: Cohort) -> None:
    codes: dict[str, set[str]] = {}
    for encounter, condition in active():
        codes.setdefault(encounter["Id"], set()).add(condition["CODE"])
    # The 25 phenotypes have no old infarction (CCS 101 has) and no anaemia.
    wanted = {"59621000": "CCS:98", "55822004": "CCS:53", "53741008": "CCS:101"}
    found = cohort.table("admissions")["labels"].to_list()
    for code, label in wanted.items():
        same = {known for known, icds in ICD.items() if known == code or (label == "CCS:101" and icds == ["I25.2"])}
        expected = sum(bool(here & same) for here in codes.values())
        assert expected > 0 and sum(label in labels for labels in found) == expected, label
    unmapped = cohort.table("unmapped_codes")
    assert set(unmapped["system"]) == {"SNOMEDCT"} and "160903007" in set(unmapped["code"]), "full-time employment"


def test_every_value_of_a_series_is_there(cohort: Cohort) -> None:
    items = {item.itemid: item.code for item in load_items("loinc")}
    given = [o for o in read("observations") if o["CODE"] in items]
    values = dict(cohort.manifest["tables"]["series"]["values"])  # type: ignore[index,call-overload]
    assert "unknown_unit" not in values and "no_number" not in values and "outside_admissions" not in values
    assert sum(values[name] for name in values if name != "kept_at_detection_limit") == len(given)
    kept = cohort.table("series")
    assert kept.height > 250
    plain = {
        (-n, o["CODE"]): float(o["VALUE"]) for n, o in enumerate(read("observations"), start=1) if o["CODE"] in items
    }
    rows = {int(row.split(":")[1]): value for row, value in kept.select("source_row", "value").iter_rows()}
    for (row, code), value in plain.items():
        if row in rows and items[code] in ("LOINC:8867-4", "LOINC:8480-6", "LOINC:29463-7", "LOINC:2345-7"):
            assert rows[row] == pytest.approx(value), code


def test_drugs_are_named_without_strength_and_application_number(cohort: Cohort) -> None:
    names = set(cohort.table("medications")["name"])
    assert {"loratadine", "epinephrine"} <= names
    assert not [name for name in names if name[0].isdigit() or name.startswith("nda")]

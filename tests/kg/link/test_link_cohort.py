"""Findings of a cohort: notes, labs, vital signs, drugs."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from ehr.cohort import SCHEMAS, Cohort
from ehr.errors import InputError
from kg.bundle import Bundle
from kg.link import findings_of, link_cohort
from kg.link.labs import Range, abnormal_values
from kg.types import Finding

HEART = Range("LOINC:8867-4", "vital", "/min", 60, 100, 10, 300)
LACTATE = Range("LOINC:32693-4", "lab", "mmol/L", 0.5, 2.0, 0.1, 35)
INR = Range("LOINC:6301-6", "lab", "1", None, 1.2, 0.5, 20)


def pick(findings: list[Finding], concept: str, **fields: object) -> list[Finding]:
    return [f for f in findings if f.concept == concept and all(getattr(f, k) == v for k, v in fields.items())]


def test_notes_become_findings_with_spans_and_context(cohort: Cohort, bundle: Bundle) -> None:
    summary = link_cohort(cohort, bundle)
    one = findings_of(cohort)["1"]
    text = cohort.table("notes")["text"][0]
    (fever,) = pick(one, "HP:0001945")
    assert fever.present and text[fever.start : fever.end] == "fevers" and fever.origin == "note"
    assert pick(one, "HP:0100749")[0].negated and pick(one, "HP:0012735")[0].negated
    assert pick(one, "HP:0001297")[0].historical and pick(one, "HP:0000822")[0].present
    assert pick(one, "HP:0001658")[0].family
    assert summary.admissions == 3 and summary.findings == cohort.table("findings").height
    assert findings_of(cohort)["3"] == []
    assert set(findings_of(cohort, ["2", "3"])) == {"2", "3"} and findings_of(cohort, []) == {}


def test_drugs_from_home_are_evidence_and_those_of_the_course_are_not(cohort: Cohort, bundle: Bundle) -> None:
    summary = link_cohort(cohort, bundle)
    found = findings_of(cohort)
    drugs = pick(found["1"], "RXNORM:6809")
    assert {(d.origin, d.section) for d in drugs} == {("medication", None), ("medication", "medications_on_admission")}
    (summary_drug,) = pick(found["2"], "RXNORM:6809")
    assert summary_drug.section == "admission_summary" and summary_drug.weight < drugs[0].weight
    assert not any(f.section == "hospital_course" for f in drugs), "given in hospital"
    assert pick(found["2"], "CRG:tobacco_use")
    assert summary.unlinked_drugs == 1
    assert pick(found["1"], "HP:0002615", section="hospital_course"), "a sign in the course counts"


def test_abnormal_series_become_terms_and_what_is_missing_becomes_nothing(cohort: Cohort, bundle: Bundle) -> None:
    link_cohort(cohort, bundle)
    found = findings_of(cohort)
    (high,) = pick(found["1"], "HP:0003259")
    assert (high.code, high.direction, high.value, high.hours, high.origin) == (
        "LOINC:2160-0",
        "high",
        4.4,
        30.0,
        "lab",
    )
    (potassium,) = pick(found["2"], "HP:0002153")
    assert potassium.value == 5.6, "abnormal by the laboratory's own range"
    assert pick(found["2"], "HP:0003259") == [], "one value just outside"
    assert not any(f.code == "LOINC:8867-4" for f in found["2"]), "one artefact among many"
    assert not any(f.code for f in found["3"])


def test_labels_are_never_read(cohort: Cohort, bundle: Bundle) -> None:
    link_cohort(cohort, bundle)
    before = cohort.table("findings")
    empty = cohort.table("admissions").with_columns(pl.lit([], dtype=pl.List(pl.String)).alias("labels"))
    cohort.write_table("admissions", empty, "admissions-2")
    cohort.write_table("notes", cohort.table("notes"), "notes-2")
    assert not link_cohort(cohort, bundle).already_done
    assert cohort.table("findings").equals(before)


def test_masking_drops_what_names_a_candidate(cohort: Cohort, bundle: Bundle) -> None:
    plain = link_cohort(cohort, bundle)
    assert plain.naming_candidates == 1 and pick(findings_of(cohort)["2"], "HP:0002090")
    masked = link_cohort(cohort, bundle, mask_labels=True)
    assert masked.naming_candidates == 1 and masked.findings == plain.findings - 1
    assert pick(findings_of(cohort)["2"], "HP:0002090") == []
    entry = cohort.manifest["tables"]["findings"]  # type: ignore[index, call-overload]
    assert entry["mask_labels"] is True and entry["naming_candidates"] == 1  # type: ignore[index, call-overload]


def test_linking_twice_writes_once_and_gives_equal_bytes(cohort: Cohort, bundle: Bundle) -> None:
    summary = link_cohort(cohort, bundle)
    first = cohort.table_path("findings").read_bytes()
    assert link_cohort(cohort, bundle) == replace(summary, already_done=True)
    cohort.table_path("findings").unlink()
    assert not link_cohort(cohort, bundle).already_done
    assert cohort.table_path("findings").read_bytes() == first


def test_a_cohort_without_findings_says_what_to_do(cohort: Cohort) -> None:
    with pytest.raises(InputError, match="kg link"):
        findings_of(cohort)


def series(*rows: tuple[str, float, float]) -> pl.DataFrame:
    full = [("a", code, hours, value, "x", None, None, "labevents:1") for code, hours, value in rows]
    return pl.DataFrame(full, schema=SCHEMAS["series"], orient="row")


def test_most_abnormal_confirmed_value_and_its_hour() -> None:
    rows = [(HEART.code, float(h), 90.0) for h in range(12)] + [(HEART.code, 12.0, 130.0), (HEART.code, 13.0, 140.0)]
    rows += [(HEART.code, 14.0, 290.0)]
    (row,) = abnormal_values(series(*rows), [HEART]).iter_rows(named=True)
    assert (row["direction"], row["value"], row["hours"]) == ("high", 140.0, 13.0)
    assert 0.4 <= row["weight"] <= 1


def test_both_directions_can_be_abnormal_and_implausible_values_never_are() -> None:
    rows = [(LACTATE.code, 0.0, 8.0), (LACTATE.code, 1.0, 0.2), (LACTATE.code, 2.0, 0.3), (LACTATE.code, 3.0, 99.0)]
    found = abnormal_values(series(*rows), [LACTATE])
    assert found.select("direction", "value").rows() == [("high", 8.0), ("low", 0.2)]


def test_one_sided_ranges_and_unknown_series() -> None:
    rows = [(INR.code, 0.0, 3.0), (INR.code, 1.0, 0.6), ("LOINC:0-0", 0.0, 1e6)]
    found = abnormal_values(series(*rows), [INR])
    assert found.select("code", "direction").rows() == [(INR.code, "high")]
    assert abnormal_values(series(), [INR]).height == 0


def test_weight_grows_with_distance() -> None:
    weights = [abnormal_values(series((LACTATE.code, 0.0, v)), [LACTATE])["weight"][0] for v in (3.0, 4.0, 9.0)]
    assert weights == sorted(weights) and weights[-1] == 1.0 and weights[0] < weights[1]

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.admission_input import admission_schema, parse_admission, read_admission
from ehr.errors import InputError

GOOD: dict[str, object] = {
    "admission_id": "case-1",
    "age": 67,
    "sex": "F",
    "notes": {"chief_complaint": "Black stools.", "admission_summary": "Seen in the emergency department."},
    "series": [
        {"code": "718-7", "hours": [9, 2.5], "values": [6.4, 6.1]},
        {"code": "LOINC:8310-5", "hours": [1], "values": [101.3], "unit": "°F"},
    ],
    "medications": [{"name": "warfarin 5 mg"}, {"name": "pantoprazole", "before_admission": False, "hours": 1}],
}


def test_an_admission_is_read() -> None:
    admission = parse_admission(json.dumps(GOOD))
    assert (admission.admission_id, admission.age, admission.sex) == ("case-1", 67.0, "F")
    assert [(n.section, n.origin) for n in admission.notes] == [
        ("chief_complaint", "note"),
        ("admission_summary", "summary"),
    ]
    hemoglobin, temperature = admission.series
    assert hemoglobin.code == "LOINC:718-7"
    assert hemoglobin.hours.tolist() == [2.5, 9.0]
    assert hemoglobin.values.tolist() == [6.1, 6.4]
    assert hemoglobin.source_rows == ("input:0.1", "input:0.0")
    assert temperature.values[0] == pytest.approx(38.5, abs=0.01)
    assert [(m.name, m.before_admission, m.hours) for m in admission.medications] == [
        ("warfarin 5 mg", True, None),
        ("pantoprazole", False, 1),
    ]
    assert admission.labels == frozenset()


BAD = [
    ({"age": "old"}, "$.age: expected number or null, found string"),
    ({"age": -1}, "$.age: expected a number of at least 0"),
    ({"sex": "female"}, "$.sex: expected one of"),
    ({"surname": "Secretname"}, "$: 1 unknown field"),
    ({"notes": {"diagnosis": "Secretname"}}, "$.notes: expected one of"),
    ({"notes": {"chief_complaint": 7}}, "$.notes.chief_complaint: expected string, found number"),
    ({"series": [{"code": "718-7", "hours": [1]}]}, "$.series[0]: 'values' is missing"),
    ({"series": [{"code": "718-7", "hours": [1, 2], "values": [3]}]}, "$.series[0]: 2 hours but 1 values"),
    ({"series": [{"code": "1-8", "hours": [1], "values": [3]}]}, "$.series[0].code: LOINC:1-8 is none of the series"),
    ({"series": [{"code": "718-7", "hours": [1], "values": [-3]}]}, "$.series[0].values[0]: not plausible"),
    ({"series": [{"code": "718-7", "hours": [1], "values": [3], "unit": "furlong"}]}, "$.series[0].unit"),
    ({"series": [{"code": "718-7", "hours": [1], "values": [3]}] * 2}, "$.series[1].code: LOINC:718-7 stands twice"),
    ({"medications": [{"name": ""}]}, "$.medications[0].name"),
    ({"admission_id": "Anna Secretname"}, "$.admission_id"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_what_is_wrong_is_said_with_its_path_and_without_its_content(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_admission(json.dumps(GOOD | change), where="a.json")
    text = str(caught.value)
    assert text.startswith("a.json: ") and message in text
    assert "Secretname" not in text and "\n" not in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1, column 1: not valid JSON"),
        ('{"age": NaN, "notes": {}}', "that JSON does not have"),
        ('{"age": 1, "age": 2}', "stands twice"),
        ("[]", "expected object, found array"),
        ("{}", "none of 'notes', 'series' and 'medications' is given"),
        ('{"notes": {"chief_complaint": "  "}, "series": []}', "holds no text"),
        ('{"series": [{"code": "718-7", "hours": [1], "values": [1e999]}]}', "not plausible"),
        ("[" * 100_000, "depth"),
    ],
)
def test_bad_json_is_one_clear_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=r"^admission: ") as caught:
        parse_admission(text)
    assert message in str(caught.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)
    )
)
def test_no_json_value_breaks_the_reader(value: object) -> None:
    for candidate in (value, {"notes": value}, {"series": [value]}, {**GOOD, "medications": value}):
        try:
            admission = parse_admission(json.dumps(candidate))
        except InputError:
            continue
        assert admission.notes or admission.series or admission.medications


def test_files_and_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(GOOD), encoding="utf-8")
    assert read_admission(path).age == 67
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(path.read_bytes())))
    assert read_admission("-").admission_id == "case-1"
    path.write_bytes(b"\xff\xfe{}")
    with pytest.raises(InputError, match="is not UTF-8"):
        read_admission(path)
    with pytest.raises(InputError, match="no such file"):
        read_admission(tmp_path / "missing.json")


def test_the_schema_says_which_sections_there_are() -> None:
    properties = admission_schema()["properties"]
    assert isinstance(properties, dict)
    assert set(properties) == {"admission_id", "age", "sex", "admission_type", "notes", "series", "medications"}

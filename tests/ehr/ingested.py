"""What tests ask of a cohort that was read from a hospital's tables."""

from collections.abc import Callable

import polars as pl
import pytest

from ehr.cohort import Cohort

Found = dict[str, list[tuple[float, float]]]
"""By series: hours and values."""


def admission(cohort: Cohort, key: str) -> dict[str, object]:
    return cohort.table("admissions").row(by_predicate=pl.col("admission_id") == key, named=True)


def values(cohort: Cohort, key: str) -> Found:
    """An admission's values by LOINC CURIE, to a thousandth of an hour, otherwise as they are stored."""
    rows = cohort.table("series").filter(pl.col("admission_id") == key)
    found: Found = {}
    for code, hours, value in rows.select("code", "hours", "value").iter_rows():
        found.setdefault(code, []).append((round(hours, 3), value))
    return found


def rounded(cohort: Cohort, key: str) -> Found:
    """The same to three digits, where conversions of units leave more."""
    return {code: [(hours, round(value, 3)) for hours, value in rows] for code, rows in values(cohort, key).items()}


def bare(cohort: Cohort, key: str) -> Found:
    """`rounded` by the LOINC code without its prefix."""
    return {code.removeprefix("LOINC:"): rows for code, rows in rounded(cohort, key).items()}


def counts(cohort: Cohort, table: str = "series", key: str = "values") -> dict[str, int]:
    return cohort.manifest["tables"][table][key]  # type: ignore[index,call-overload,return-value]


def check_resumed(run: Callable[..., Cohort], opened: type, whole: Cohort, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop ``run`` at each step of an opened hospital; what it gives at last must be as if it had never stopped."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    for step in ("load_events", "load_medications", "load_facts"):
        with monkeypatch.context() as patch:
            patch.setattr(opened, step, stop)
            with pytest.raises(KeyboardInterrupt):
                run()
    again = run()
    for name in ("admissions", "series", "codes", "notes", "medications"):
        assert again.table(name).equals(whole.table(name)), name

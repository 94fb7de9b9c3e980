import polars as pl
import pytest

from ehr.errors import InputError
from ehr.labels import is_listed, label_admissions
from ehr.phenotypes import load_phenotypes

LABELS = load_phenotypes()


def frame(*rows: tuple[str, str | None, str | None]) -> pl.DataFrame:
    schema = {"admission_id": pl.String, "code": pl.String, "version": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_labels_in_the_order_of_the_label_set_and_codes_counted() -> None:
    rows = frame(("a", "I10", "10"), ("a", "N179", "10"), ("a", "N170", "10"), ("b", "QQQ", "10"), ("c", None, "10"))
    labels, counts = label_admissions(rows, LABELS, "diagnoses")
    assert labels == {"a": ["CCS:157", "CCS:98"], "b": []}
    assert counts == {
        "codes": 4,
        "distinct_codes": 4,
        "distinct_codes_in_label_set": 3,
        "distinct_codes_unknown": 1,
        "rows_unknown": 1,
    }


@pytest.mark.parametrize("version", ["11", None, "IX"])
def test_unknown_version_names_file_and_number_of_rows(version: str | None) -> None:
    with pytest.raises(InputError, match=r"hosp/diagnoses_icd.csv: 2 diagnoses with unknown ICD version"):
        label_admissions(frame(("a", "I10", version), ("b", "I10", version)), LABELS, "hosp/diagnoses_icd.csv")


@pytest.mark.parametrize(
    ("code", "version", "listed"),
    [
        ("V707", 9, True),
        ("Z38.00", 10, True),
        ("S030XXA", 10, True),  # retired, its stem is listed
        ("ZZZ9", 10, False),
        ("99999", 9, False),
        ("", 10, False),
    ],
)
def test_is_listed(code: str, version: int, listed: bool) -> None:
    assert is_listed(code, version) == listed

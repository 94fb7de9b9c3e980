import pytest
from hypothesis import given
from hypothesis import strategies as st

from ehr.icd9 import billable_codes, restore_zeros

ZERO = sorted(code for code in billable_codes() if code.startswith("0"))
OTHER = sorted(code for code in billable_codes() if not code.startswith("0"))


def test_only_where_the_whole_table_lost_them() -> None:
    assert restore_zeros(["389", "5849"]).codes == {"389": "0389"}
    assert restore_zeros(["389", "5849", "0414"]).codes == {}


def test_a_code_that_fits_two_stays_and_is_told() -> None:
    found = restore_zeros(["845", "42", "88"])  # 084.5 or 008.45; 042 or 004.2; 008.8 alone
    assert found.codes == {"88": "0088"} and found.ambiguous == {"845", "42"}


@pytest.mark.parametrize("code", ["486", "4019", "V5861", "E8788", "", "4x9", "99999", "N179", "٣٨٩"])
def test_what_stays_as_it_is(code: str) -> None:
    assert restore_zeros([code]).codes == {}


def test_a_point_says_how_many_zeros_are_lacking() -> None:
    assert restore_zeros([" 38.9 ", "84.5", "8.45", "4.9"]).codes == {
        " 38.9 ": "0389",
        "84.5": "0845",
        "8.45": "00845",
        "4.9": "0049",
    }


@given(st.lists(st.sampled_from(ZERO), max_size=8), st.lists(st.sampled_from(OTHER), max_size=8))
def test_what_a_spreadsheet_dropped_comes_back_or_is_counted(zero: list[str], other: list[str]) -> None:
    lost = {code.lstrip("0"): code for code in zero}
    found = restore_zeros([*lost, *other])
    for short, code in lost.items():
        meant = found.codes.get(short)
        assert meant == code or short in found.ambiguous or short in billable_codes() or meant in zero
    assert not set(found.codes) & billable_codes()


@given(st.lists(st.text(max_size=8), max_size=10))
def test_any_text_is_survived(codes: list[str]) -> None:
    assert set(restore_zeros(codes).codes.values()) <= billable_codes()

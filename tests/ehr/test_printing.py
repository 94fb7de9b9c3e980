"""Tables as a person reads them: side by side where they fit, else one value a line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ehr.printing import Format, as_records, emit


def test_few_columns_stand_side_by_side(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    emit([{"name": "cough", "rank": 1}, {"name": "fever", "rank": 2}], Format.TABLE, title="findings")
    shown = capsys.readouterr().out
    assert shown.startswith("findings")
    assert [line for line in shown.splitlines() if "cough" in line and "1" in line]


def test_more_columns_than_fit_stand_one_below_the_other(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {f"column_{n}": f"value {n}" for n in range(12)} | {"empty": ""}
    monkeypatch.setenv("COLUMNS", "80")
    emit([row, row], Format.TABLE, title="rows")
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "rows"
    assert lines.count("column_3   value 3") == 2
    assert not any("empty" in line for line in lines)
    assert lines.count("") == 1
    monkeypatch.setenv("COLUMNS", "200")
    emit([row], Format.TABLE)
    assert "value 3" in capsys.readouterr().out.splitlines()[3]


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.none() | st.integers() | st.text(max_size=5)), max_size=4))
def test_there_is_a_record_for_each_row(rows: list[dict[str, object]]) -> None:
    assert len([part for part in as_records(rows) if not isinstance(part, str)]) == len(rows)

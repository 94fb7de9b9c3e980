import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ehr import mending
from ehr.errors import InputError
from ehr.mending import CUT_SHORT, MENDED, OPEN_QUOTE, mend


def mended(tmp_path: Path, data: bytes, columns: int = 2, name: str = "t.csv") -> tuple[dict[str, int], bytes]:
    path, copy = tmp_path / name, tmp_path / "copy.csv"
    path.write_bytes(data)
    copy.unlink(missing_ok=True)
    found = dict(mend(path, columns, copy))
    return found, copy.read_bytes() if copy.is_file() else b""


def test_a_sound_file_is_not_copied(tmp_path: Path) -> None:
    data = 'a,b\r\n1,"two\r\nlines, and ""quotes"""\r\n5" wide,µ\r\n3,4'.encode()
    assert mended(tmp_path, data) == ({}, b"")


def test_bytes_that_are_no_utf8_cost_no_record(tmp_path: Path) -> None:
    found, text = mended(tmp_path, b"a,b\n1,37 \xb0C\n2,\xc2\xb5g\n")
    assert found == {MENDED: 1} and text.decode() == "a,b\n1,37 °C\n2,µg\n"


def test_a_quote_that_is_not_closed_costs_its_line_alone(tmp_path: Path) -> None:
    data = b'a,b\n1,"open\n2,x\n3,"two\nlines"\n4,y\n5,"open, too\n6,z\n'
    found, text = mended(tmp_path, data)
    assert found == {OPEN_QUOTE: 2} and text == b'a,b\n2,x\n3,"two\nlines"\n4,y\n6,z\n'


def test_an_open_quote_over_many_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mending, "_CHUNK", 64)
    monkeypatch.setattr(mending, "_LONGEST", 2000)
    rows = [f"{i},x\n" for i in range(1000)]
    rows[500] = '500,"x\n'
    found, text = mended(tmp_path, ("a,b\n" + "".join(rows)).encode())
    assert found == {OPEN_QUOTE: 1} and text.decode().count("\n") == 1000


def test_truncated_gzip(tmp_path: Path) -> None:
    data = "".join(["a,b\n", *[f"{i},{i * 7919 % 104729}\n" for i in range(50_000)]]).encode()
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(data)[:50_000])
    with pytest.raises(InputError, match=r"t\.csv\.gz: truncated or damaged gzip file; .*--keep-going"):
        mend(path, 2, tmp_path / "copy.csv")
    assert mend(path, 2, tmp_path / "copy.csv", keep_going=True) == {CUT_SHORT: 1}
    text = (tmp_path / "copy.csv").read_bytes()
    assert len(text) > 10_000 and data.startswith(text) and text.endswith(b"\n")


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=6)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS), max_size=12))
def test_what_a_csv_writer_writes_is_sound(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([("a", "b"), *rows])
    assert mended(tmp_path_factory.mktemp("x"), out.getvalue().encode()) == ({}, b"")

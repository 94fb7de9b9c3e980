import gzip
from datetime import datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ehr.errors import InputError
from ehr.events import unit_sql
from ehr.tables import ROW_NUMBER, Workspace, find_table, need_table
from ehr.units import normalise_unit


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return Workspace(scratch)


def read(workspace: Workspace, directory: Path, name: str = "t", **options: bool) -> list[tuple[object, ...]]:
    table = find_table(directory, "hosp", name, **options)
    assert table is not None
    rows = workspace.frame(f"SELECT * FROM {table.sql(('a', 'b'), ('c',))} ORDER BY ALL", tables=[table])  # noqa: S608
    return rows.rows()


@pytest.mark.parametrize("name", ["hosp/t.csv", "hosp/T.CSV", "HOSP/t.csv.gz", "Hosp/T.csv.GZ", "t.csv"])
def test_found_in_any_case_packed_or_not(workspace: Workspace, tmp_path: Path, name: str) -> None:
    path = tmp_path / "data" / name
    path.parent.mkdir(parents=True)
    data = 'A, b \n1," x, ""y"" "\n2,\n'.encode("utf-8-sig")
    path.write_bytes(gzip.compress(data) if name.lower().endswith(".gz") else data)
    assert read(workspace, tmp_path / "data") == [("1", 'x, "y"', None), ("2", None, None)]


def test_packed_and_unpacked_side_by_side_are_one_table(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "hosp").mkdir()
    (tmp_path / "hosp" / "t.csv").write_text("a,b\n1,2\n")
    (tmp_path / "hosp" / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n"))
    assert read(workspace, tmp_path) == [("1", "2", None)]


def test_parts_are_one_table_and_must_be_of_one_form(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "hosp").mkdir()
    (tmp_path / "hosp" / "t_1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "hosp" / "t_2.csv.gz").write_bytes(gzip.compress(b"a,b\n3,4\n"))
    assert find_table(tmp_path, "hosp", "t") is None
    assert read(workspace, tmp_path, parts=True) == [("1", "2", None), ("3", "4", None)]
    (tmp_path / "hosp" / "t_3.csv").write_text("a,x\n3,4\n")
    with pytest.raises(InputError, match=r"t_3\.csv: columns differ"):
        find_table(tmp_path, "hosp", "t", parts=True)


def test_quoted_line_breaks_and_quotes_in_paths(workspace: Workspace, tmp_path: Path) -> None:
    directory = tmp_path / "it's here"
    directory.mkdir()
    (directory / "t.csv").write_text('a,b\n1,"line\nbreak"\n')
    assert read(workspace, directory) == [("1", "line\nbreak", None)]


def test_missing_column_says_which_and_what_stands_there(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,x\n")
    table = need_table(tmp_path, "hosp", "t", "MIMIC-IV")
    with pytest.raises(InputError, match=r"t\.csv: no column 'b'; it has a, x"):
        table.sql(("a", "b"))


def test_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no MIMIC-IV directory: hosp/t\.csv or hosp/t\.csv\.gz is missing"):
        need_table(tmp_path, "hosp", "t", "MIMIC-IV")
    with pytest.raises(InputError, match="no such directory"):
        find_table(tmp_path / "absent", "hosp", "t")


@pytest.mark.parametrize("cut", [10, 2000, -4])
def test_truncated_gzip_is_named(workspace: Workspace, tmp_path: Path, cut: int) -> None:
    data = "".join(["a,b\n", *[f"{i},{i * 7919 % 104729}\n" for i in range(50_000)]]).encode()
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(data)[:cut])
    with pytest.raises(InputError, match=r"t\.csv\.gz: truncated or damaged gzip"):
        read(workspace, tmp_path)


def test_not_gzip_at_all(tmp_path: Path) -> None:
    (tmp_path / "t.csv.gz").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="truncated or damaged gzip"):
        find_table(tmp_path, "hosp", "t")


@pytest.mark.parametrize("content", ["", "\n", "a,a\n1,2\n"])
def test_no_header(tmp_path: Path, content: str) -> None:
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(InputError, match=r"t\.csv: (the file is empty|a column name)"):
        find_table(tmp_path, "hosp", "t")


def test_bad_records_are_left_out_and_counted(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b'a,b\r\n1,2\r\n3\r\nMrs Secret,4,5\r\n6,"two\r\nlines"\r\n5" wide,7\r\n')
    for _ in range(2):  # read twice, counted once
        assert read(workspace, tmp_path) == [
            ("1", "2", None),
            ('5" wide', "7", None),
            ("6", "two\r\nlines", None),
        ]
    assert workspace.left_out() == {str(tmp_path / "t.csv"): {"wrong number of columns": 2}}


def test_row_numbers_follow_the_file(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(f"{i},x\n" for i in range(700_000)))
    table = find_table(tmp_path, "hosp", "t")
    assert table is not None
    query = f"SELECT count(*), count(*) FILTER (a::BIGINT <> file_row_number) FROM {table.sql(('a', ROW_NUMBER))}"  # noqa: S608
    assert workspace.frame(query, tables=[table]).row(0) == (700_000, 0)


@pytest.mark.parametrize("name", ["hosp/t.parquet", "t.PARQUET", "hosp/t/part-0.parquet", "t.parquet/part-0.parquet"])
def test_parquet(workspace: Workspace, tmp_path: Path, name: str) -> None:
    path = tmp_path / "data" / name
    path.parent.mkdir(parents=True)
    times = [datetime(2150, 1, 2, 3, 4, 5), None]
    pl.DataFrame({"A": [1, -5_000_000_000], "b": [" x ", ""], "c": times}).write_parquet(path)
    assert read(workspace, tmp_path / "data") == [
        ("-5000000000", None, None),
        ("1", "x", "2150-01-02 03:04:05"),
    ]
    table = find_table(tmp_path / "data", "hosp", "t")
    assert table is not None and table.columns == ("a", "b", "c")
    rows = workspace.frame(f"SELECT * FROM {table.sql((ROW_NUMBER, 'a'))} ORDER BY ALL", tables=[table])  # noqa: S608
    assert rows.rows() == [(0, "1"), (1, "-5000000000")]


def test_csv_is_taken_before_parquet(workspace: Workspace, tmp_path: Path) -> None:
    pl.DataFrame({"a": [9], "b": [9]}).write_parquet(tmp_path / "t.parquet")
    (tmp_path / "T.csv").write_text("a,b\n1,2\n")
    assert read(workspace, tmp_path) == [("1", "2", None)]


def test_no_parquet_at_all(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"t\.parquet: no Parquet file"):
        find_table(tmp_path, "hosp", "t")


@given(st.text("aZ /µμ°?*^.%0 \tNn", max_size=8))
def test_units_are_normalised_alike_in_sql(unit: str) -> None:
    found = duckdb.execute(f"SELECT {unit_sql('u')} FROM (SELECT ?::VARCHAR AS u)", [unit]).fetchone()  # noqa: S608
    assert found is not None and found[0] == normalise_unit(unit)

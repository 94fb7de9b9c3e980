"""Large tables in pieces: the same rows and rejects as line by line, in every packing and at every cut."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ehr.errors import InputError
from kg.readers import columnar
from kg.readers.columnar import Chunk, Layout, read_chunks
from kg.readers.lines import LONGEST_LINE
from kg.readers.records import Reject
from kg.readers.tabular import Row, read_table

LAYOUT = Layout(needed=("a", "b"), optional=("c", "d"), coded={"b"}, what="a test table")


def read(path: Path, layout: Layout = LAYOUT) -> tuple[list[tuple[int, dict[str, str]]], list[Reject]]:
    rows: list[tuple[int, dict[str, str]]] = []
    rejects = []
    for piece in read_chunks(path, layout):
        if isinstance(piece, Chunk):
            rows += zip(piece.lines.tolist(), piece.table.to_pylist(), strict=True)
        else:
            rejects.append(piece)
    return rows, rejects


def test_rows_with_their_lines_and_bad_ones_as_rejects(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(
        b'\xef\xbb\xbfa,b,c\n1,x,"one, two"\n2,x\n3,y,z,w\n4,\xff,z\n\n5,"two\nlines",\n6,5" tube,z\n7,x,z\n8,"open,z\n'
    )
    rows, rejects = read(path)
    assert rows == [
        (2, {"a": "1", "b": "x", "c": "one, two"}),
        (7, {"a": "5", "b": "two\nlines", "c": ""}),
        (9, {"a": "6", "b": '5" tube', "c": "z"}),
        (10, {"a": "7", "b": "x", "c": "z"}),
    ]
    assert sorted((r.record, r.reason) for r in rejects) == [
        ("line 11", "a double quote that does not close"),
        ("line 3", "2 columns, expected 3"),
        ("line 4", "4 columns, expected 3"),
        ("line 5", "not UTF-8"),
    ]


def test_a_wrong_number_of_columns_costs_no_speed_and_no_neighbour(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n" * 999 + "1\n" + "3,4\n" * 999, encoding="utf-8")
    rows, rejects = read(path)
    assert len(rows) == 1998
    assert [r.record for r in rejects] == ["line 1001"]
    assert rows[999][0] == 1002


def test_comments_aliases_and_tables_without_quotes(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_text('# made up\nAlpha\tb\n"x\t\r\ny\t"z\n', encoding="utf-8")
    layout = Layout(needed=("a", "b"), delimiter="\t", quoted=False, comment="#", aliases={"alpha": "a"})
    assert read(path, layout)[0] == [(3, {"a": '"x', "b": ""}), (4, {"a": "y", "b": '"z'})]


def test_a_delimiter_behind_every_row(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("1|x|\n2|y|\n", encoding="utf-8")
    layout = Layout(needed=("a", "b"), delimiter="|", quoted=False, columns=("a", "b"))
    assert read(path, layout) == ([(1, {"a": "1", "b": "x"}), (2, {"a": "2", "b": "y"})], [])


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(
        st.sampled_from(["1|x|", "2|y", "|", "||", "3|z|w", "4|v||", "5", "", "# note", "6|\u00e9|"]), min_size=1
    ),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_delimiters_behind_some_rows_and_comments_among_them(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], end: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "ends.txt"
    path.write_bytes(end.join(lines).encode())
    rows, rejects = read(path, Layout(("a", "b"), delimiter="|", quoted=False, columns=("a", "b"), comment="#"))
    expected = list(read_table(path, needed=("a", "b"), delimiter="|", quoted=False, columns=("a", "b"), comment="#"))
    assert [(n, r["a"].strip(), r["b"].strip()) for n, r in rows] == [
        (r.line, r["a"], r["b"]) for r in expected if isinstance(r, Row)
    ]
    assert sorted(r.record for r in rejects) == sorted(r.record for r in expected if isinstance(r, Reject))


def test_every_packing(tmp_path: Path) -> None:
    text = b"a,b\n1,2\n"
    (tmp_path / "t.csv").write_bytes(text)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(text, mtime=0))
    with zipfile.ZipFile(tmp_path / "t.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/t.csv", text)
    for name in ("t.csv", "t.csv.gz", "t.zip"):
        assert read(tmp_path / name)[0] == [(2, {"a": "1", "b": "2"})]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty"),
        (b"x,y\n1,2\n", "no column 'a', found x, y"),
        (b"a,\xff\n", "not UTF-8"),
        (b'a,"b\n', "does not close"),
        (gzip.compress(b"a,b\n" + b"1,2\n" * 9000, mtime=0)[:-9], "truncated gzip"),
        (b"x" * (20 << 20), "line longer than"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(path)


def test_lines_beyond_all_measure_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.csv"
    long = b"1," + b"x" * (10 << 20) + b"\n"
    path.write_bytes(b"a,b\n1,2\n" + long + b"3,4\n" + long + b"5,6\n")
    for block in (columnar.BLOCK, 1 << 20):
        monkeypatch.setattr(columnar, "BLOCK", block)
        rows, rejects = read(path)
        assert [(line, row["a"]) for line, row in rows] == [(2, "1"), (4, "3"), (6, "5")]
        assert [(r.record, r.reason) for r in rejects] == [
            (f"line {n}", f"line longer than {LONGEST_LINE >> 20} MiB") for n in (3, 5)
        ]


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=6)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=30), block=st.integers(1, 200))
def test_what_is_written_comes_back_wherever_the_pieces_are_cut(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]], block: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "cut.csv"
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    path.write_text("a,b,c\n" + "\n".join(quoted) + "\n", encoding="utf-8", newline="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columnar, "BLOCK", block)
        found, rejects = read(path)
    assert rejects == []
    assert [tuple(row.values()) for _, row in found] == rows


@settings(max_examples=150, deadline=None)
@given(
    pieces=st.lists(
        st.sampled_from([b"1", b",", b"\n", b"\r\n", b'"', b"x y", b"\xff", b"\t", b"\x00", b"\r"]), max_size=60
    ),
    block=st.integers(1, 60),
)
def test_any_bytes_give_what_reading_line_by_line_gives(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], block: int
) -> None:
    """Without quotes the two ways agree whatever the bytes; with quotes neither may fail."""
    path = tmp_path_factory.getbasetemp() / "bytes.csv"
    path.write_bytes(b"a,b\n" + b"".join(pieces))
    plain = Layout(needed=("a", "b"), quoted=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columnar, "BLOCK", block)
        read(path)
        rows, rejects = read(path, plain)
    expected = list(read_table(path, needed=("a", "b"), quoted=False))
    assert [line for line, _ in rows] == [one.line for one in expected if isinstance(one, Row)]
    assert sorted(map(str, rejects)) == sorted(str(one) for one in expected if isinstance(one, Reject))

from __future__ import annotations

import gzip
import random
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ehr.errors import InputError
from kg.readers.lines import LONGEST_LINE, Damaged, Entry, Fallback, entries, find, need, read_lines
from kg.readers.records import Reject
from kg.readers.tabular import Row, read_table

LINES = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\r")), min_size=1)


@given(lines=LINES, end=st.sampled_from(["\n", "\r\n"]), closed=st.booleans())
def test_lines_come_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], end: str, closed: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "lines.txt"
    text = end.join(lines) + (end if closed else "")
    path.write_bytes(text.encode())
    expected = [line.removeprefix("\ufeff") if n == 0 else line for n, line in enumerate(lines)]
    if not closed and expected[-1] == "" and (len(lines) > 1 or not lines[-1]):
        expected.pop()
    assert [text for _, text in read_lines(path)] == expected


def test_every_packing_gives_the_same_lines(tmp_path: Path) -> None:
    content = b"one\ntwo\r\nthree"
    (tmp_path / "a.txt").write_bytes(content)
    (tmp_path / "b.txt").write_bytes(gzip.compress(content))
    with zipfile.ZipFile(tmp_path / "c.bin", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/a.txt", content)
        archive.writestr("__MACOSX/._a.txt", b"x")
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        archive.writestr("a.txt.gz", gzip.compress(content))
    for name in ("a.txt", "b.txt", "c.bin", "d.zip"):
        assert list(read_lines(tmp_path / name)) == [(1, "one"), (2, "two"), (3, "three")]


def test_a_line_without_end_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_bytes(b"first\n" + b"x" * (10 << 20) + b"\nlast\n")
    tracemalloc.start()
    found = list(read_lines(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [n for n, _ in found] == [1, 2, 3]
    assert found[0][1] == "first" and isinstance(found[1][1], Damaged) and found[2][1] == "last"
    assert peak < 4 * LONGEST_LINE
    path.write_bytes(b"x" * (9 << 20))
    assert [isinstance(text, Damaged) for _, text in read_lines(path)] == [True]


def test_bytes_that_are_no_utf8_cost_only_their_line(tmp_path: Path) -> None:
    path = tmp_path / "mixed.txt"
    path.write_bytes(b"\xef\xbb\xbfgood\nba\xffd\nr\xc3\xa9sum\xc3\xa9\n")
    assert list(read_lines(path)) == [(1, "good"), (2, Damaged("not UTF-8")), (3, "résumé")]


def test_what_unpacks_beyond_reason_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a", "w") as member:
        for _ in range(300):
            member.write(b"a\n" * (1 << 19))
    with pytest.raises(InputError, match="unpacks to more than 300 times"):
        for _ in read_lines(tmp_path / "bomb.zip"):
            pass
    with gzip.open(tmp_path / "bomb.gz", "wb") as file:
        for _ in range(300):
            file.write(b"a\n" * (1 << 19))
    with pytest.raises(InputError, match="unpacks to more than 300 times"):
        for _ in read_lines(tmp_path / "bomb.gz"):
            pass


def test_an_archive_that_is_broken_is_one_clear_line(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "whole.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", random.Random(1).randbytes(1000).hex())
    data = bytearray((tmp_path / "whole.zip").read_bytes())
    (tmp_path / "cut.zip").write_bytes(data[:200])
    with pytest.raises(InputError, match=r"cut\.zip: damaged zip archive"):
        list(read_lines(tmp_path / "cut.zip"))
    data[300] ^= 255
    (tmp_path / "flipped.zip").write_bytes(data)
    with pytest.raises(InputError, match=r"flipped\.zip(!a\.txt)?: (zip archive that cannot be read|damaged)"):
        list(read_lines(tmp_path / "flipped.zip"))
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.txt", "1")
        archive.writestr("b.txt", "2")
    with pytest.raises(InputError, match=r"expected an archive of one file, found a\.txt, b\.txt"):
        list(read_lines(tmp_path / "two.zip"))


def test_files_are_found_by_name_in_directories_and_archives(tmp_path: Path) -> None:
    folder = tmp_path / "release" / "META"
    folder.mkdir(parents=True)
    (folder / "mrconso.rrf.gz").write_bytes(gzip.compress(b"1"))
    (folder / "sct2_Concept_20240101.txt").write_text("2")
    (folder / "sct2_Concept_20250101.txt").write_text("3")
    assert find(tmp_path, "MRCONSO.RRF") == Entry(folder / "mrconso.rrf.gz")
    assert find(tmp_path, "meta/MRCONSO.RRF") == Entry(folder / "mrconso.rrf.gz")
    assert find(tmp_path, "sct2_Concept_*.txt") == Entry(folder / "sct2_Concept_20250101.txt")
    assert find(tmp_path, "MRREL.RRF") is None
    with pytest.raises(InputError, match=r"holds no MRREL\.RRF, found mrconso\.rrf.*expected UMLS"):
        need(tmp_path, "MRREL.RRF", what="UMLS")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("x/META/MRCONSO.RRF", "1")
    assert find(tmp_path / "all.zip", "META/MRCONSO.RRF") == Entry(tmp_path / "all.zip", "x/META/MRCONSO.RRF")
    assert [e.name for e in entries(tmp_path / "all.zip")] == ["MRCONSO.RRF"]


def table(path: Path, text: str, **settings: object) -> list[Row | Reject]:
    path.write_bytes(text.encode())
    return list(read_table(path, needed=("id", "name"), **settings))  # type: ignore[arg-type]


def test_a_table_keeps_every_row_that_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    found = table(path, 'ID,name\n1,"a, ""b"""\n\n2\n3,"two\nlines"\n4,x,\n5,y,z\n', aliases={"id": "id"})
    assert found == [
        Row(2, {"id": "1", "name": 'a, "b"'}),
        Reject("line 4", "1 columns, expected 2"),
        Row(5, {"id": "3", "name": "two\nlines"}),
        Row(7, {"id": "4", "name": "x"}),
        Reject("line 8", "3 columns, expected 2"),
    ]


def test_a_quote_that_does_not_close_costs_one_row(tmp_path: Path) -> None:
    rows = "".join(f"{n},b\n" for n in range(2000))
    found = table(tmp_path / "t.csv", 'id,name\n0,"open\n' + rows)
    assert [r for r in found if isinstance(r, Reject)] == [Reject("line 2", "a double quote that does not close")]
    assert len(found) == 2001


def test_a_table_without_quotes_takes_them_as_text(tmp_path: Path) -> None:
    found = table(tmp_path / "t.tsv", '# note\nid\tname\n1\t"x\n', delimiter="\t", quoted=False, comment="#")
    assert found == [Row(3, {"id": "1", "name": '"x'})]


def test_a_table_that_lacks_a_column_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no column 'name', found id, b; is this a test\?"):
        table(tmp_path / "t.csv", "id,b\n1,2\n", what="a test")
    with pytest.raises(InputError, match="the file is empty"):
        table(tmp_path / "t.csv", "\n")


def test_lines_of_an_older_encoding_are_read_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "old.txt"
    path.write_bytes("Ménière\n".encode() + "Ménière\r\n".encode("latin-1") + b"\x81\xff\n")
    fallback = Fallback("cp1252")
    assert list(read_lines(path, fallback=fallback)) == [
        (1, "Ménière"),
        (2, "Ménière"),
        (3, Damaged("neither UTF-8 nor cp1252")),
    ]
    assert fallback.lines == 1


def test_a_title_may_stand_before_the_header(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    assert table(path, "A title, of two parts\nid,name\n1,a\n", preamble=1) == [Row(3, {"id": "1", "name": "a"})]
    for settings in ({"preamble": 1}, {"preamble": 9}):
        with pytest.raises(InputError, match="no column 'id', found A title"):
            table(path, "A title\nmore\nid,name\n1,a\n"[: None if settings["preamble"] == 1 else 13], **settings)


def test_a_carriage_return_inside_a_cell_costs_one_row(tmp_path: Path) -> None:
    found = table(tmp_path / "t.csv", "id,name\n1,a\rb\n2,c\n")
    assert found == [
        Reject("line 2", "a line end inside a cell without quotes"),
        Row(3, {"id": "2", "name": "c"}),
    ]

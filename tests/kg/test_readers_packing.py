"""Archives, pipes and names that are odd: read as they should be, or refused in one line."""

from __future__ import annotations

import os
import struct
import zipfile
from pathlib import Path

import pytest

from ehr.errors import InputError
from kg.readers.lines import Entry, entries, find, read_lines, single
from kg.readers.packing import MOST_FILES


def lines(path: Path | Entry) -> list[str]:
    return [text for _, text in read_lines(path) if isinstance(text, str)]


def write(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return path


def test_an_encrypted_member_is_named_as_such(tmp_path: Path) -> None:
    data = bytearray(write(tmp_path / "e.zip", {"a.obo": b"text"}).read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    (tmp_path / "e.zip").write_bytes(data)
    with pytest.raises(InputError, match=r"e\.zip!a\.obo: zip archive that is encrypted; unpack it"):
        lines(tmp_path / "e.zip")


def test_methods_that_take_the_memory_they_ask_for_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="packed by method 14"):
        lines(write(tmp_path / "l.zip", {"a.obo": b"text"}, zipfile.ZIP_LZMA))
    assert lines(write(tmp_path / "b.zip", {"a.obo": b"text"}, zipfile.ZIP_BZIP2)) == ["text"]
    assert lines(write(tmp_path / "s.zip", {"a.obo": b"text"}, zipfile.ZIP_STORED)) == ["text"]


def test_zip64_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive, archive.open("a.obo", "w", force_zip64=True) as member:
        member.write(b"one\ntwo\n")
    assert lines(tmp_path / "z.zip") == ["one", "two"]


def test_an_archive_of_very_many_files_is_refused(tmp_path: Path) -> None:
    data = write(tmp_path / "many.zip", {"000000": b"text"}).read_bytes()
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    listed = b"".join(data[start:end].replace(b"000000", b"%06d" % number) for number in range(100_000))
    closing = data[end : end + 12] + struct.pack("<LL", len(listed), start) + b"\0\0"
    (tmp_path / "many.zip").write_bytes(data[:start] + listed + closing)
    with zipfile.ZipFile(tmp_path / "many.zip") as archive:
        assert len(archive.infolist()) == 100_000
    with pytest.raises(InputError, match=f"holds more than {MOST_FILES:,} files"):
        entries(tmp_path / "many.zip")


def test_a_list_of_files_that_is_a_bomb_is_not_even_read(tmp_path: Path) -> None:
    """Its end says that the list of files takes 300 MB; the file is large enough for that, but sparse."""
    path = write(tmp_path / "l.zip", {"a.obo": b"text"})
    data = path.read_bytes()
    end = data.index(b"PK\x05\x06")
    with path.open("r+b") as file:
        file.seek(400 << 20)
        file.write(data[end : end + 12] + struct.pack("<LL", 300 << 20, 100) + b"\0\0")
    with pytest.raises(InputError, match="holds more than"):
        entries(path)
    with path.open("r+b") as file:
        file.seek(400 << 20)
        record = b"PK\x06\x06" + struct.pack("<QHHLLQQQQ", 44, 45, 45, 0, 0, 9, 9, 300 << 20, 100)
        locator = b"PK\x06\x07" + struct.pack("<LQL", 0, 400 << 20, 1)
        file.write(record + locator + data[end : end + 12] + struct.pack("<LL", 0xFFFFFFFF, 0xFFFFFFFF) + b"\0\0")
    with pytest.raises(InputError, match="holds more than"):
        entries(path)


@pytest.mark.parametrize(
    "name", ["../../x.obo", "./x.obo", "/etc/x.obo", "C:/x.obo", "a/../../x.obo", "x\x1b[2J/x.obo"]
)
def test_members_are_read_whatever_their_path_and_nothing_is_unpacked_to_disk(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "p.zip", {name: b"text"})
    assert [entry.name for entry in entries(path)] == ["x.obo"]
    assert lines(single(path)) == ["text"]
    assert find(path, "X.obo") == entries(path)[0]
    assert "\x1b" not in str(entries(path)[0])
    assert [p.name for p in tmp_path.iterdir()] == ["p.zip"]


def test_a_size_that_lies_does_not_lift_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kg.readers.packing._BOMB_SIZE", 1 << 20)
    path = write(tmp_path / "b.zip", {"a.obo": b"a\n" * (8 << 20)})
    data = bytearray(path.read_bytes())
    directory = data.index(b"PK\x01\x02")
    data[directory + 20 : directory + 24] = struct.pack("<L", 0xFFFFFFF0)  # the packed size, as the list has it
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"unpacks to more than 300 times|(damaged|truncated) zip archive"):
        lines(path)


def test_a_name_that_is_no_text_is_a_damaged_archive(tmp_path: Path) -> None:
    data = bytearray(write(tmp_path / "n.zip", {"é.obo": b"text"}).read_bytes())
    for at in (data.index("é".encode()), data.rindex("é".encode())):
        data[at : at + 2] = b"\xff\xfe"
    (tmp_path / "n.zip").write_bytes(data)
    with pytest.raises(InputError, match="damaged zip archive"):
        entries(tmp_path / "n.zip")


def test_directories_with_links_pipes_and_odd_names(tmp_path: Path) -> None:
    folder = tmp_path / "release"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.obo").write_text("a")
    (folder / "up").symlink_to("..")
    (folder / "self").symlink_to("self")
    (folder / "linked.obo").symlink_to("sub/a.obo")
    os.mkfifo(folder / "pipe.obo")
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/\xff.obo"))
    odd.write_text("odd")
    found = entries(folder)
    assert [entry.name for entry in found] == ["linked.obo", "a.obo", "?.obo"]
    assert [lines(entry) for entry in found] == [["a"], ["a"], ["odd"]]
    assert str(found[2]).encode()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_what_may_not_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o000)
    (tmp_path / "a.obo").write_text("x")
    (tmp_path / "a.obo").chmod(0o000)
    for path in (tmp_path, tmp_path / "closed"):
        with pytest.raises(InputError, match="no permission"):
            entries(path)
    with pytest.raises(InputError, match="no permission"):
        lines(tmp_path / "a.obo")


@pytest.mark.parametrize("damage", ["offset", "name"])
def test_what_zipfile_stumbles_over_is_a_damaged_archive(tmp_path: Path, damage: str) -> None:
    """A place before the beginning of the file, and a member without a name."""
    data = bytearray(write(tmp_path / "d.zip", {"a.obo": b"text" * 50}).read_bytes())
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    if damage == "offset":
        data[end + 16 : end + 20] = struct.pack("<L", start + 100)
    else:
        data[start + 46 : start + 47] = b"\0"
    (tmp_path / "d.zip").write_bytes(data)
    with pytest.raises(InputError, match="damaged zip archive"):
        lines(tmp_path / "d.zip")

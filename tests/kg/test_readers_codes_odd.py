"""What no reader of code systems may do on any bytes: crash, hang, or take one file for another."""

from __future__ import annotations

import gzip
import random
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ehr.errors import InputError
from kg.readers.records import Header, Record, Reject
from kg.readers.source import Context, Source
from tests.kg.code_samples import SAMPLES, Sample

every = pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: f"{s.format}-{s.name}")
with_header = pytest.mark.parametrize(
    "sample", [s for s in SAMPLES if not s.flat], ids=lambda s: f"{s.format}-{s.name}"
)


MARKS = st.sampled_from([b'"', b"'", b"\r", b"\n", b"\t", b",", b"\x00", b"[", b"."])


def read(sample: Sample, path: Path) -> list[Record]:
    return list(sample.reader.read(Source(name="x", format=sample.format, path=path), Context()))


def read_bytes(sample: Sample, folder: Path, content: bytes) -> list[Record]:
    path = folder / sample.name
    path.write_bytes(content)
    return read(sample, path)


def good(records: list[Record]) -> list[Record]:
    return [r for r in records if not isinstance(r, Reject)]


@every
def test_the_sample_is_read_whole_in_every_packing(tmp_path: Path, sample: Sample) -> None:
    plain = sample.text.encode()
    expected = read_bytes(sample, tmp_path, plain)
    assert isinstance(expected[0], Header) and len(expected) > 1
    assert not [r for r in expected if isinstance(r, (Reject, Header))][1:]
    assert sample.reader.files(tmp_path / sample.name)
    for content in (b"\xef\xbb\xbf" + plain, plain.replace(b"\n", b"\r\n"), gzip.compress(plain), plain.rstrip(b"\n")):
        assert read_bytes(sample, tmp_path, content) == expected
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.writestr(f"folder/{sample.name}", plain)
    zipped = [r for r in read(sample, tmp_path / "packed.zip") if not isinstance(r, Header)]
    assert len(zipped) == len(expected) - 1


@with_header
def test_the_case_of_the_header_does_not_matter(tmp_path: Path, sample: Sample) -> None:
    expected = good(read_bytes(sample, tmp_path, sample.text.encode()))
    lines = sample.text.split("\n")
    at = 1 if sample.text.startswith("NOTE") else 0
    for changed in (lines[at].lower(), lines[at].upper()):
        text = "\n".join([*lines[:at], changed, *lines[at + 1 :]])
        assert good(read_bytes(sample, tmp_path, text.encode())) == expected


@every
def test_files_that_are_none(tmp_path: Path, sample: Sample) -> None:
    packed = gzip.compress(random.Random(1).randbytes(3000) + sample.text.encode() * 50)
    for content in (b"", b"\n\n", b"\x00" * 5000, packed[: len(packed) // 2], b"<?xml version='1.0'?>\n<a/>\n" * 400):
        with pytest.raises(InputError) as caught:
            read_bytes(sample, tmp_path, content)
        assert sample.name in str(caught.value)
    with pytest.raises(InputError):
        read(sample, tmp_path / "nothing")


@every
def test_another_format_is_refused_with_a_question(tmp_path: Path, sample: Sample) -> None:
    for other in (one for one in SAMPLES if one.format != sample.format):
        # V10.05 and E850.0 are codes of both revisions, and the CCS group 2601 looks like one.
        lines = [line for line in other.text.split("\n") if line[:1] not in "VE" and line[:4] != "2601"]
        text = "\n".join(lines)
        with pytest.raises(InputError, match=r"is this |name it with \?"):
            pytest.fail(f"{other.name} gave {read_bytes(sample, tmp_path, text.encode())[:3]}")


@every
def test_a_bad_line_costs_only_itself(tmp_path: Path, sample: Sample) -> None:
    expected = good(read_bytes(sample, tmp_path, sample.text.encode()))
    newline = b"\n"
    start = sample.text.encode().rstrip(newline)
    for bad, reason in ((b"\xff\xfe\x00\x81", ""), (b"x" * (10 << 20), "longer than"), (b"one lonely cell", "")):
        records = read_bytes(sample, tmp_path, start + newline + bad + newline)
        rejects = [r for r in records if isinstance(r, Reject)]
        assert good(records) == expected
        if sample.name != "AppendixASingleDX.txt" or reason:  # a line of text stands between its groups
            assert len(rejects) == 1 and reason in rejects[0].reason
            assert rejects[0].record == f"line {start.count(newline) + 2}"


@every
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=400))
def test_random_bytes_end_in_one_error(tmp_path: Path, sample: Sample, content: bytes) -> None:
    with pytest.raises(InputError):
        read_bytes(sample, tmp_path, content)


@every
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_end_in_records_or_one_error(tmp_path: Path, sample: Sample, data: st.DataObject) -> None:
    content = bytearray(sample.text.encode())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content)))
        until = data.draw(st.integers(at, min(len(content), at + 20)))
        content[at:until] = data.draw(st.one_of(st.binary(max_size=8), MARKS))
    try:
        records = read_bytes(sample, tmp_path, bytes(content))
    except InputError as error:
        assert str(error)
    else:
        assert isinstance(records[0], Header) and len(records) > 1

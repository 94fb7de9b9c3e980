"""Coverage-guided fuzzing of the reader of one format, in a process of its own.

    python -m tests.soak.fuzz_readers obo --seconds 60 --out found/

An input is one file of a sample with changed bytes, as it is or gzipped, or the zip archive of the whole sample; its
first byte says which. Whatever is not an `InputError` or a sound record, a hang and memory that grows leave the input
below ``--out`` and end with an exit code other than 0.
"""

from __future__ import annotations

import argparse
import gzip
import io
import os
import shutil
import sys
import tempfile
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["kg.readers"]):
    from kg.readers import formats as _formats  # noqa: F401

from ehr.errors import InputError
from ehr.progress import set_quiet
from tests.kg.samples import collect, units, write_unit

MEMORY = 512
"""MiB that the process may grow by."""

TIMEOUT = 10
"""Seconds that one input may take."""

LONGEST = 1 << 16


@dataclass(frozen=True)
class Place:
    """Where the bytes of an input go: a file of a unit, its gzip, or (no file) a zip archive of the whole unit."""

    unit: str
    file: str
    packing: str
    content: bytes


def places(format_: str) -> list[Place]:
    """Give every place of a format, with the valid bytes that stand there."""
    found = []
    for unit, files in units(format_).items():
        for name, content in files.items():
            found.append(Place(unit, name, "plain", content))
            found.append(Place(unit, name, "gzip", gzip.compress(content, mtime=0)))
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(zipfile.ZipInfo(name), content)
        found.append(Place(unit, "", "zip", packed.getvalue()))
    assert len(found) < 256
    return found


class Target:
    """Reads what the fuzzer makes."""

    def __init__(self, format_: str, folder: Path) -> None:
        self.format, self.folder, self.places = format_, folder, places(format_)
        for number, place in enumerate(self.places):
            write_unit(folder / str(number), format_, place.unit)
        (folder / "parts").mkdir()

    def __call__(self, data: bytes) -> None:
        if not data:
            return
        number = data[0] % len(self.places)
        place, root = self.places[number], self.folder / str(number)
        file = root / (place.file or "packed.zip")
        file.write_bytes(data[1:])
        try:
            with suppress(InputError):  # the one error that a reader may raise
                collect(self.format, root / place.unit if place.file else file, self.folder / "parts")
        finally:
            for part in (self.folder / "parts").iterdir():
                part.unlink()


def write_corpus(format_: str, folder: Path) -> None:
    """Write the valid input of every place."""
    folder.mkdir()
    for number, place in enumerate(places(format_)):
        if len(place.content) < LONGEST:
            (folder / f"{number:03d}").write_bytes(bytes([number]) + place.content)


def resident() -> int:
    """Give the memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


def main() -> None:
    """Fuzz one format, or read one input that was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("format")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--out", type=Path, default=Path())
    parser.add_argument("--seed", type=int, default=0, help="of the fuzzer; 0 takes another one each time")
    parser.add_argument("--input", type=Path, help="read this one input and say what comes of it")
    options = parser.parse_args()
    set_quiet(True)
    options.out.mkdir(parents=True, exist_ok=True)
    # One place for all processes that a killed one leaves behind, so that the caller can clear it.
    work = Path(tempfile.mkdtemp(prefix="fuzz-"))
    target = Target(options.format, work / "files")
    if options.input is not None:
        target(options.input.read_bytes())
        shutil.rmtree(work)
        return
    write_corpus(options.format, work / "corpus")
    for place in target.places:  # what is imported late, caches and pools are no growth
        target(bytes([target.places.index(place)]) + place.content)
    arguments = [
        sys.argv[0],
        f"-max_total_time={options.seconds}",
        f"-rss_limit_mb={resident() + MEMORY}",
        f"-timeout={TIMEOUT}",
        f"-max_len={LONGEST}",
        f"-seed={options.seed}",
        f"-artifact_prefix={options.out}/{options.format}-",
        "-print_final_stats=1",
        str(work / "corpus"),
    ]
    atheris.Setup(arguments, target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

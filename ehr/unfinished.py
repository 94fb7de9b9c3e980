"""The directory in which a cohort grows: it takes its place when it is whole; after a kill the work goes on in it."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ehr.cohort import MANIFEST
from ehr.errors import InputError
from ehr.files import read_json, user_errors

KIND = "clinragen cohort"
"""What the manifest's ``kind`` says, so that nothing else is ever taken for a cohort and replaced."""

_BUSY = "another process is at work on this cohort"


@contextmanager
def unfinished(out: Path, key: str) -> Iterator[Path]:
    """Give a directory beside ``out``, the same for the same key; it replaces ``out`` when the block is done.

    After an error it is removed. Where the process is killed or interrupted it stays, so that the next run with the
    same key goes on in it; a run with another key removes it.

    Raises:
        InputError: where another process is at work in it.
    """
    with user_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        place = out.parent / f".{out.name}.{key[:16]}.tmp"
        _remove_others(out, place)
        place.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(place, os.O_RDONLY)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(_BUSY, where=out, remedy="wait until it is done") from None
            try:
                for half in place.glob(".*.tmp"):
                    half.unlink()
                yield place
                _take_place(place, out)
            except Exception:
                shutil.rmtree(place, ignore_errors=True)
                raise
        finally:
            os.close(handle)


def _take_place(place: Path, out: Path) -> None:
    old = place.with_suffix(".old")
    try:
        if out.exists():
            out.rename(old)
        place.rename(out)
    finally:
        if old.exists() and not out.exists():
            old.rename(out)
        shutil.rmtree(old, ignore_errors=True)


def _remove_others(out: Path, own: Path) -> None:
    """Remove what a killed run with other inputs left: it is patient data that nobody would find."""
    for path in sorted([*out.parent.glob(f".{out.name}.*.tmp"), *out.parent.glob(f".{out.name}.*.old")]):
        manifest = path / MANIFEST
        if path == own or not manifest.is_file() or read_json(manifest).get("kind") != KIND:
            continue
        handle = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue  # another process is at work on it
        else:
            shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(handle)

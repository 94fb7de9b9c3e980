"""The directory that an export is written into: whole or not at all, and never over anything but an earlier export."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ehr.errors import InputError
from ehr.files import atomic_directory, read_json, user_errors, write_json

MANIFEST = "export.json"
_KIND = "clinragen export"
_LEFT_BY_IMPORT = {"import.report"}
"""Files that using an export leaves in it."""


def check_place(directory: Path) -> None:
    """Refuse a directory that holds anything but an earlier export.

    Raises:
        InputError: for a file, or a directory with files that no export wrote.
    """
    with user_errors(directory):
        if not directory.exists():
            return
        if not directory.is_dir():
            raise InputError("is a file, expected a directory", where=directory, remedy="choose another place")
        present = {file.name for file in directory.iterdir()}
    if not present:
        return
    strange = sorted(present - _written(directory) - _LEFT_BY_IMPORT)
    if strange:
        raise InputError(
            f"holds {strange[0]!r}, which no export wrote", where=directory, remedy="choose an empty or a new directory"
        )


def _written(directory: Path) -> set[str]:
    try:
        manifest = read_json(directory / MANIFEST)
    except InputError:
        return set()
    files = manifest.get("files")
    if manifest.get("kind") != _KIND or not isinstance(files, list):
        return set()
    return {MANIFEST, *(str(name) for name in files)}


@contextmanager
def export_place(directory: Path) -> Iterator[Path]:
    """Give a temporary directory that takes the place of ``directory`` at the end, readable for whom files mostly are.

    Raises:
        InputError: see `check_place`; where the place cannot be written to.
    """
    check_place(directory)
    with atomic_directory(directory) as temporary:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o777 & ~umask)
        check_place(directory)  # what came while the export was written is not to be lost either


def write_manifest(folder: Path, said: Mapping[str, object]) -> None:
    """Write ``export.json``: what this is, and which files are its own."""
    names = sorted(file.name for file in folder.iterdir())
    write_json(folder / MANIFEST, {**said, "kind": _KIND, "files": names})

"""SHA-256 of files that were hashed before and have not changed since, without reading them again."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

from ehr.errors import InputError
from ehr.files import read_json, sha256_file, write_json
from kg.readers.formats import FORMATS
from kg.readers.source import Source

_SETTLED = 2.0
"""Seconds after which a file that keeps size and time of change is taken as the same; clocks of disks are coarse."""


class Digests:
    """Remembers hashes by path, size, inode and time of change in one JSON file."""

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        self._known = self._read()
        self._used: dict[str, list[object]] = {}

    def _read(self) -> dict[str, object]:
        try:
            return dict(read_json(self._memory)) if self._memory.is_file() else {}
        except InputError:
            return {}  # only a memory: what cannot be read is hashed again

    def __call__(self, path: Path) -> str:
        """Give a file's SHA-256."""
        key, state = str(path.resolve()).encode("utf-8", "backslashreplace").decode(), path.stat()
        mark: list[object] = [state.st_size, state.st_mtime_ns, state.st_ino]
        known = self._known.get(key)
        seen = isinstance(known, list) and known[:3] == mark
        digest = str(known[3]) if isinstance(known, list) and seen else sha256_file(path)
        if time.time() - state.st_mtime > _SETTLED:
            self._used[key] = [*mark, digest]
        return digest

    def of_source(self, source: Source) -> str:
        """Give the hash of all files that a source consists of; that of the file itself where it is one."""
        found = FORMATS[source.format].files(source.path)
        files = sorted({entry.path for entry in found})
        if files == [source.path]:
            return self(source.path)
        # Of a pair of files (KGX) one is named, and the other lies beside it.
        root = source.path if source.path.is_dir() else source.path.parent
        parts = [[file.relative_to(root).as_posix(), self(file)] for file in files]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def keep(self) -> None:
        """Write what was used down for the next time."""
        if self._used != self._known:
            write_json(self._memory, self._used)

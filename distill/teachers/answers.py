"""Answers of language models, kept by question, so that an interrupted or repeated job asks nothing twice."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path

from ehr.files import user_errors


class AnswerCache:
    """An append-only file of answers, one JSON object a line, readable by its owner alone.

    A line that was cut off by an interruption is passed over and asked again.

    Args:
        path: the file; its directory is made.
        settings: what else an answer depends on (model, sampling); other settings, other keys.
    """

    def __init__(self, path: Path, settings: dict[str, object]) -> None:
        self.path = path
        self._settings = json.dumps(settings, sort_keys=True)
        self._lock = threading.Lock()
        self._answers: dict[str, str] = {}
        with user_errors(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            self._file = os.fdopen(handle, "a+", encoding="utf-8", errors="replace", newline="\n")
            self._file.seek(0)
            whole = True
            for line in self._file:
                whole = line.endswith("\n")
                self._take(line)
            if not whole:
                self._file.write("\n")

    def _take(self, line: str) -> None:
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            return
        if isinstance(record, dict) and isinstance(record.get("key"), str) and isinstance(record.get("answer"), str):
            self._answers[record["key"]] = record["answer"]

    def key(self, question: str) -> str:
        """Give the key of a question under these settings."""
        return hashlib.sha256(f"{self._settings}\n{question}".encode()).hexdigest()

    def get(self, question: str) -> str | None:
        """Give the answer that was kept for a question, if any."""
        return self._answers.get(self.key(question))

    def put(self, question: str, answer: str) -> None:
        """Keep an answer; it is on disk when this returns."""
        key = self.key(question)
        line = json.dumps({"key": key, "answer": answer}, ensure_ascii=False) + "\n"
        with self._lock, user_errors(self.path):
            self._file.write(line)
            self._file.flush()
            self._answers[key] = answer

    def close(self) -> None:
        """Close the file."""
        with user_errors(self.path):
            self._file.close()

"""What all tests share: the order in which they run where they run in several processes."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parent
LONGEST = (
    "test_demo.py",
    "integration/test_neo4j_failures.py",
    "integration/test_neo4j_store.py",
    "integration/test_neo4j_import.py",
    "test_wheel.py",
    "integration/test_neo4j_search.py",
    "integration/test_neo4j_server.py",
    "integration/test_neo4j_show.py",
    "distill/test_slm.py",
)
"""Begin first, so that no process is left alone with one of them at the end."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the longest files first where several processes share the tests."""
    if hasattr(config, "workerinput"):
        places = {name: place for place, name in enumerate(LONGEST)}
        items.sort(key=lambda item: places.get(item.path.relative_to(ROOT).as_posix(), len(places)))

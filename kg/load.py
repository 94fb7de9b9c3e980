"""Build a bundle and load it into stores: what ``kg build`` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ehr.errors import InputError
from ehr.progress import say
from kg.build import BuildReport, build
from kg.bundle import Bundle
from kg.stores import open_store


def build_and_load(
    sources: Sequence[str] | None,
    bundle: Path,
    urls: Sequence[str],
    *,
    strict: bool = False,
    keep_going: bool = False,
) -> BuildReport:
    """Build ``bundle`` from ``sources`` (None: the built-in recipe) and load it into every store of ``urls``.

    A store that already holds the bundle is left as it is.

    Raises:
        InputError: see `kg.build.build` and `kg.stores.open_store`; whether a server answers is tried before the build.
    """
    for url in urls:
        if not url.startswith("ladybug:"):
            open_store(url, read_only=False).close()
    report = build(sources, bundle, strict=strict, keep_going=keep_going)
    built = Bundle.open(bundle)
    for url in urls:
        with open_store(url, read_only=False) as store:
            manifest = store.load(built)
        if manifest.hash != built.hash:
            raise InputError("the store does not hold the bundle after loading", where=url, remedy="run kg build again")
        say(f"{url}: {manifest.concepts:,} concepts, {manifest.statements:,} statements")
    return report

"""Build a bundle and load it into stores: what ``kg build`` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ehr.errors import InputError
from ehr.progress import say
from kg.build import BuildReport, build
from kg.bundle import Bundle
from kg.cliques import MergeSettings
from kg.recipe import Recipe, read_recipe
from kg.stores import open_store


def build_and_load(
    sources: Sequence[str] | None,
    bundle: Path,
    urls: Sequence[str],
    *,
    strict: bool = False,
    keep_going: bool = False,
    data: Path | None = None,
    settings: MergeSettings | None = None,
    cohort: Path | None = None,
) -> BuildReport:
    """Build ``bundle`` from ``sources`` (None: the built-in recipe) and load it into every store of ``urls``.

    A store that already holds the bundle is left as it is. See `kg.build.build` for the other arguments.

    Raises:
        InputError: see `kg.build.build` and `kg.stores.open_store`; whether a server answers is tried before the build.
    """
    for url in urls:
        if not url.startswith("ladybug:"):
            open_store(url, read_only=False).close()
    report = build(sources, bundle, strict=strict, keep_going=keep_going, data=data, settings=settings, cohort=cohort)
    built = Bundle.open(bundle)
    for url in urls:
        with open_store(url, read_only=False) as store:
            manifest = store.load(built)
        if manifest.hash != built.hash:
            raise InputError("the store does not hold the bundle after loading", where=url, remedy="run kg build again")
        say(f"{url}: {manifest.concepts:,} concepts, {manifest.statements:,} statements")
    return report


def build_from(
    config: Path | None,
    sources: Sequence[str],
    bundle: Path,
    stores: Sequence[str],
    *,
    default_store: str,
    strict: bool = False,
    keep_going: bool = False,
    data: Path | None = None,
    cohort: Path | None = None,
) -> BuildReport:
    """Build as a recipe and the command line say; what stands on the command line wins over the recipe.

    Args:
        config: ``kg.toml``, or None.
        sources: of the command line; empty takes those of the recipe, else the built-in ones.
        bundle: directory of the bundle.
        stores: addresses; empty takes those of the recipe, else ``default_store``; ``none`` loads none.
        default_store: where neither says anything.
        strict: also true where the recipe says so.
        keep_going: also true where the recipe says so.
        data: wins over that of the recipe.
        cohort: wins over that of the recipe.

    Raises:
        InputError: see `build_and_load` and `kg.recipe.read_recipe`.
    """
    recipe = read_recipe(config) if config is not None else Recipe()
    urls = list(stores or recipe.stores or [default_store])
    return build_and_load(
        list(sources) or recipe.sources,
        bundle,
        [] if urls == ["none"] else urls,
        strict=strict or recipe.strict,
        keep_going=keep_going or recipe.keep_going,
        data=data or recipe.data,
        settings=recipe.settings,
        cohort=cohort or recipe.cohort,
    )

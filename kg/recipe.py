"""``kg.toml``: a whole recipe of the graph in one file, so that a build can be repeated and reviewed.

    [build]
    data = "downloads"            # where known sources that no package carries are looked for
    cohort = "cohort"             # whose codes the quality report compares with
    strict = false
    keep_going = false
    stores = ["ladybug:graph/graph.lbug"]

    [merge]
    priority = ["MONDO", "DOID", "OMIM"]     # whose id a clique takes; the others follow in their usual order
    limit = 64
    cross_references = ["MONDO", "DOID"]     # [] merges by stated identity alone

    [[source]]
    use = "hpo"                   # a known name, or FORMAT:PATH; every other key is an option
    [[source]]
    use = "obo:downloads/doid.obo"
    prefix = "DOID"

Paths are relative to the file's directory. Without a ``source`` the built-in recipe is read.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from ehr.errors import InputError
from ehr.files import user_errors
from kg.catalogue import catalogue
from kg.cliques import PRIORITY, MergeSettings
from kg.readers.curies import normalise_prefix
from kg.stores import NEO4J_SCHEMES


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a build is asked for.

    Attributes:
        sources: as on the command line; None is the built-in recipe.
        stores: addresses; None is the default store.
        data, cohort: directories, or None.
    """

    sources: tuple[str, ...] | None = None
    stores: tuple[str, ...] | None = None
    data: Path | None = None
    cohort: Path | None = None
    strict: bool = False
    keep_going: bool = False
    settings: MergeSettings = field(default_factory=MergeSettings)


_TABLES: dict[str, dict[str, type]] = {
    "build": {"data": str, "cohort": str, "strict": bool, "keep_going": bool, "stores": list},
    "merge": {"priority": list, "limit": int, "cross_references": list},
}


def read_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        InputError: where the file is missing or no TOML, or a table, key or value is not as expected.
    """
    with user_errors(path):
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise InputError("no such file", where=path) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"not valid TOML ({error})", where=path) from error
    for table in content:
        if table not in (*_TABLES, "source"):
            raise InputError(f"unknown table {table!r}", where=path, remedy="expected build, merge, source")
    build, merge = (_table(path, content, name) for name in _TABLES)
    folder = path.parent
    sources = content.get("source", [])
    if not isinstance(sources, list) or not all(isinstance(one, dict) for one in sources):
        raise InputError("source is no list of tables", where=path, remedy="write each as [[source]]")
    return Recipe(
        sources=tuple(_source(path, one) for one in sources) or None,
        stores=tuple(_store(folder, url) for url in build["stores"]) if "stores" in build else None,
        data=folder / build["data"] if "data" in build else None,
        cohort=folder / build["cohort"] if "cohort" in build else None,
        strict=build.get("strict", False),
        keep_going=build.get("keep_going", False),
        settings=_settings(path, merge),
    )


def _table(path: Path, content: Mapping[str, object], name: str) -> dict:  # type: ignore[type-arg]
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise InputError(f"{name} is no table", where=path, remedy=f"write it as [{name}]")
    for key, value in table.items():
        kind = _TABLES[name].get(key)
        if kind is None:
            raise InputError(f"unknown key {name}.{key}", where=path, remedy=f"expected {', '.join(_TABLES[name])}")
        texts = kind is not list or (isinstance(value, list) and all(isinstance(one, str) for one in value))
        if type(value) is not kind or not texts:
            expected = {str: "a text", bool: "true or false", int: "a number", list: "a list of texts"}[kind]
            raise InputError(f"{name}.{key} is {value!r:.40}, expected {expected}", where=path)
    return table


def _source(path: Path, table: Mapping[str, object]) -> str:
    use = table.get("use")
    if not isinstance(use, str):
        raise InputError("a source without `use`", where=path, remedy='expected use = "hpo" or use = "obo:doid.obo"')
    options = {key: value for key, value in table.items() if key != "use"}
    for key, value in options.items():
        if not isinstance(value, str | bool | int | float | list):
            raise InputError(f"option {key} of source {use} is {value!r:.40}", where=path, remedy="expected a text")
    format_, colon, place = use.partition(":")
    if use not in catalogue() and colon:
        use = f"{format_}:{path.parent / Path(place).expanduser()}"
    return f"{use}?{urlencode({key: _text(value) for key, value in options.items()})}" if options else use


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _store(folder: Path, url: str) -> str:
    scheme, _, rest = url.partition(":")
    return url if scheme in NEO4J_SCHEMES or url == "none" else f"{scheme}:{folder / rest}"


def _settings(path: Path, merge: Mapping[str, list[str] | int]) -> MergeSettings:
    given = MergeSettings()
    limit = merge.get("limit", given.limit)
    if not isinstance(limit, int) or limit < 2:
        raise InputError(f"merge.limit is {limit}, expected 2 or more", where=path)
    first = tuple(normalise_prefix(str(one)) for one in _many(merge.get("priority", [])))
    crossed = merge.get("cross_references")
    return MergeSettings(
        priority=(*first, *(one for one in PRIORITY if one not in first)),
        limit=limit,
        cross_references=given.cross_references
        if crossed is None
        else frozenset(normalise_prefix(str(one)) for one in _many(crossed)),
    )


def _many(value: list[str] | int) -> list[str]:
    return value if isinstance(value, list) else []

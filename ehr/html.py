"""Templates of the pages that the project writes: every value is escaped, and a name that is missing is an error."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from ehr.files import write_text


@cache
def templates(package: str) -> Environment:
    """Give the templates of a package, those in its folder ``templates``."""
    return Environment(
        loader=PackageLoader(package, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def inlined(package: str, name: str) -> tuple[str, str]:
    """Give a style sheet or script of the templates' folder, and its source expression for a content security policy.

    Source: W3C, Content Security Policy Level 3 (``'sha256-…'``; the quotes are part of what is given).
    """
    environment = templates(package)
    source, _, _ = environment.loader.get_source(environment, name)  # type: ignore[union-attr]
    return source, f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def styled(package: str) -> tuple[str, str]:
    """Give ``style.css`` of a package, and the content security policy that lets it and nothing else pass."""
    source, allowed = inlined(package, "style.css")
    return source, f"default-src 'none'; style-src {allowed}; base-uri 'none'; form-action 'none'"


def render_page(path: Path, package: str, name: str, **values: object) -> None:
    """Render a page into one file, whole or not at all.

    Args:
        path: the file.
        package: whose template and ``style.css`` it is made of.
        name: of the template; it gets ``style`` and ``policy`` (see `styled`) too.
        values: what it shows.

    Raises:
        InputError: where the file cannot be written.
    """
    style, policy = styled(package)
    write_text(path, templates(package).get_template(name).render(style=style, policy=policy, **values))

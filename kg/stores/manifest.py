"""What a store remembers of the bundle it holds, as one JSON text on its ``Bundle`` node."""

from __future__ import annotations

import json
from collections.abc import Mapping

from kg.stores.base import BundleFiles, StoreManifest
from kg.stores.tables import GraphTables

LAYOUT = 3
"""Version of what stores hold of a bundle (labels, properties); a store of another one is loaded again."""
READY = f"ready {LAYOUT}"
"""State of a store that holds its bundle whole."""


def manifest_of(bundle: BundleFiles, tables: GraphTables) -> StoreManifest:
    """Describe a bundle whose rows were read."""
    sources = bundle.manifest.get("sources")
    return StoreManifest(
        hash=bundle.hash,
        concepts=tables.concepts,
        statements=tables.statements,
        evidence=tables.evidence,
        sources=tuple(one for one in sources if isinstance(one, Mapping)) if isinstance(sources, list) else (),
    )


def manifest_text(manifest: StoreManifest) -> str:
    """Give the JSON text, without the hash, which has a property of its own."""
    counts = {"concepts": manifest.concepts, "statements": manifest.statements, "evidence": manifest.evidence}
    return json.dumps({**counts, "sources": list(manifest.sources)}, sort_keys=True, ensure_ascii=False)


def parse_manifest(hash_: str, text: str) -> StoreManifest:
    """Read `manifest_text` back."""
    value = json.loads(text)
    return StoreManifest(
        hash=hash_,
        concepts=value["concepts"],
        statements=value["statements"],
        evidence=value["evidence"],
        sources=tuple(value["sources"]),
    )

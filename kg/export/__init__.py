"""``kg export``: a bundle in the formats of others, as far as the licences of its sources let it be passed on."""

from __future__ import annotations

from kg.export.job import FORMATS, export_bundle

__all__ = ["FORMATS", "export_bundle"]

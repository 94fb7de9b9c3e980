"""Every layout that ``ehr ingest`` knows; ``auto`` takes the first that matches."""

from __future__ import annotations

from ehr.hospital import Layout
from ehr.layouts.meds_data import MedsLayout
from ehr.layouts.mimic4 import MimicIVLayout
from ehr.layouts.omop import OmopLayout

LAYOUTS: tuple[Layout, ...] = (MimicIVLayout(), MedsLayout(), OmopLayout())

"""Every layout that ``ehr ingest`` knows; ``auto`` takes the one that matches."""

from __future__ import annotations

from ehr.hospital import Layout
from ehr.layouts.eicu import EicuLayout
from ehr.layouts.meds_data import MedsLayout
from ehr.layouts.mimic3 import MimicIIILayout
from ehr.layouts.mimic4 import MimicIVLayout
from ehr.layouts.omop import OmopLayout

LAYOUTS: tuple[Layout, ...] = (MimicIVLayout(), MimicIIILayout(), EicuLayout(), MedsLayout(), OmopLayout())

"""Every layout that ``ehr ingest`` knows; ``auto`` takes the one that matches."""

from __future__ import annotations

from ehr.hospital import Layout
from ehr.layouts.eicu import Eicu, is_eicu
from ehr.layouts.meds_data import Meds
from ehr.layouts.meds_files import is_meds
from ehr.layouts.mimic3 import MimicIII, is_mimic3
from ehr.layouts.mimic4 import MimicIV, is_mimic4
from ehr.layouts.omop import Omop, is_omop

LAYOUTS = (
    Layout(MimicIV.name, is_mimic4, MimicIV, open_with_notes=MimicIV),
    Layout(MimicIII.name, is_mimic3, MimicIII),
    Layout(Eicu.name, is_eicu, Eicu),
    Layout(Meds.name, is_meds, Meds),
    Layout(Omop.name, is_omop, Omop),
)

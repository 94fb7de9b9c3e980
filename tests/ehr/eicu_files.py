"""Small tables in eICU-CRD 2.0's layout, columns and file names as published."""

import csv
import gzip
import io
from collections.abc import Sequence
from pathlib import Path

Rows = Sequence[dict[str, object]]

COLUMNS = {
    "patient": (
        "patientunitstayid,patienthealthsystemstayid,gender,age,ethnicity,hospitalid,wardid,apacheadmissiondx,"
        "admissionheight,hospitaladmittime24,hospitaladmitoffset,hospitaladmitsource,hospitaldischargeyear,"
        "hospitaldischargetime24,hospitaldischargeoffset,hospitaldischargelocation,hospitaldischargestatus,unittype,"
        "unitadmittime24,unitadmitsource,unitvisitnumber,unitstaytype,admissionweight,dischargeweight,"
        "unitdischargetime24,unitdischargeoffset,unitdischargelocation,unitdischargestatus,uniquepid"
    ),
    "diagnosis": (
        "diagnosisid,patientunitstayid,activeupondischarge,diagnosisoffset,diagnosisstring,icd9code,diagnosispriority"
    ),
    "lab": (
        "labid,patientunitstayid,labresultoffset,labtypeid,labname,labresult,labresulttext,labmeasurenamesystem,"
        "labmeasurenameinterface,labresultrevisedoffset"
    ),
    "vitalPeriodic": (
        "vitalperiodicid,patientunitstayid,observationoffset,temperature,sao2,heartrate,respiration,cvp,etco2,"
        "systemicsystolic,systemicdiastolic,systemicmean,pasystolic,padiastolic,pamean,st1,st2,st3,icp"
    ),
    "vitalAperiodic": (
        "vitalaperiodicid,patientunitstayid,observationoffset,noninvasivesystolic,noninvasivediastolic,"
        "noninvasivemean,paop,cardiacoutput,cardiacinput,svr,svri,pvr,pvri"
    ),
    "nurseCharting": (
        "nursingchartid,patientunitstayid,nursingchartoffset,nursingchartentryoffset,nursingchartcelltypecat,"
        "nursingchartcelltypevallabel,nursingchartcelltypevalname,nursingchartvalue"
    ),
    "respiratoryCharting": (
        "respchartid,patientunitstayid,respchartoffset,respchartentryoffset,respcharttypecat,respchartvaluelabel,"
        "respchartvalue"
    ),
    "intakeOutput": (
        "intakeoutputid,patientunitstayid,intakeoutputoffset,intaketotal,outputtotal,dialysistotal,nettotal,"
        "intakeoutputentryoffset,cellpath,celllabel,cellvaluenumeric,cellvaluetext"
    ),
    "medication": (
        "medicationid,patientunitstayid,drugorderoffset,drugstartoffset,drugivadmixture,drugordercancelled,drugname,"
        "drughiclseqno,dosage,routeadmin,frequency,loadingdose,prn,drugstopoffset,gtc"
    ),
    "infusiondrug": (
        "infusiondrugid,patientunitstayid,infusionoffset,drugname,drugrate,infusionrate,drugamount,volumeoffluid,"
        "patientweight"
    ),
    "admissiondrug": (
        "admissiondrugid,patientunitstayid,drugoffset,drugenteredoffset,drugnotetype,specialtytype,usertype,"
        "rxincluded,writtenineicu,drugname,drugdosage,drugunit,drugadmitfrequency,drughiclseqno"
    ),
    "note": "noteid,patientunitstayid,noteoffset,noteenteredoffset,notetype,notepath,notevalue,notetext",
    "pastHistory": (
        "pasthistoryid,patientunitstayid,pasthistoryoffset,pasthistoryenteredoffset,pasthistorynotetype,"
        "pasthistorypath,pasthistoryvalue,pasthistoryvaluetext"
    ),
    "treatment": "treatmentid,patientunitstayid,treatmentoffset,treatmentstring,activeupondischarge",
    "microLab": ("microlabid,patientunitstayid,culturetakenoffset,culturesite,organism,antibiotic,sensitivitylevel"),
    "apachePatientResult": (
        "apachepatientresultsid,patientunitstayid,physicianspeciality,physicianinterventioncategory,"
        "acutephysiologyscore,apachescore,apacheversion,predictedicumortality,actualicumortality,predictediculos,"
        "actualiculos,predictedhospitalmortality,actualhospitalmortality,predictedhospitallos,actualhospitallos,"
        "preopmi,preopcardiaccath,ptcawithin24h,unabridgedunitlos,unabridgedhosplos,actualventdays,predventdays,"
        "unabridgedactualventdays"
    ),
}


def unit(number: int, stay: int, person: str, opened: int, closed: int, **more: object) -> dict[str, object]:
    """One unit stay: hospital admission at ``opened`` and discharge at ``closed`` minutes of its own clock."""
    row = {"patientunitstayid": number, "patienthealthsystemstayid": stay, "uniquepid": person}
    row |= {"hospitaladmitoffset": opened, "hospitaldischargeoffset": closed, "gender": "Female", "age": "52"}
    return {**row, "unittype": "Med-Surg ICU", "hospitaldischargeyear": 2015, **more}


PATIENTS: Rows = [
    # The documentation's own example of two unit stays: the second has the lower id.
    unit(2, 800, "002-100", -5040, 10960, unitvisitnumber=2, unitstaytype="transfer", unittype="SICU", age="53"),
    unit(10, 800, "002-100", -720, 15280, unitvisitnumber=1, unitstaytype="admit", age="52"),
    unit(30, 801, "002-200", 0, 600, age="> 89", gender="Male", hospitaldischargeyear=2014),
    unit(40, 802, "002-300", -60, 1380, age="-1", gender="Unknown", hospitaladmitsource="Emergency Department"),
    unit(50, 803, "002-100", -1, -100, age="", gender=""),  # discharged before it began
]
DIAGNOSES: Rows = [
    {"patientunitstayid": 10, "icd9code": "038.9, A41.9", "diagnosispriority": "Primary"},
    {"patientunitstayid": 2, "icd9code": "584.9, N17.9", "diagnosispriority": "Major"},
    {"patientunitstayid": 2, "icd9code": "038.9, A41.9", "diagnosispriority": "Other"},
    {"patientunitstayid": 10, "icd9code": "", "diagnosispriority": "Other"},
    {"patientunitstayid": 30, "icd9code": "428.1, 402.91, I11.0, I50.1", "diagnosispriority": "Primary"},
    {"patientunitstayid": 40, "icd9code": "995.90", "diagnosispriority": "Other"},
    {"patientunitstayid": 99, "icd9code": "486, J18.9", "diagnosispriority": "Other"},
]


class EicuBuilder:
    """Writes them as PhysioNet does: mixed case in file names, lower-case columns, empty texts quoted."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, table: str, rows: Rows, *, suffix: str = ".csv.gz", stem: str = "") -> Path:
        names = COLUMNS[table].split(",")
        text = io.StringIO()
        text.write(",".join(names) + "\n")
        writer = csv.writer(text, lineterminator="\n")
        for number, row in enumerate(rows, start=1):
            assert not set(row) - set(names), set(row) - set(names)
            writer.writerow([{names[0]: number, **row}.get(name, "") for name in names])
        path = self.root / f"{stem or table}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        data = text.getvalue().encode()
        path.write_bytes(gzip.compress(data, mtime=0) if suffix.lower().endswith(".gz") else data)
        return path

    def base(self, **how: str) -> None:
        self.write("patient", PATIENTS, **how)
        numbered = [
            {"diagnosisstring": "cardiovascular|shock / hypotension|sepsis", "diagnosisoffset": 5, **row}
            for row in DIAGNOSES
        ]
        self.write("diagnosis", numbered, **how)
        self.write("lab", [], **how)

    @staticmethod
    def lab(stay: int, name: str, offset: int, value: object, unit: str = "", **more: object) -> dict[str, object]:
        number = value if isinstance(value, int | float) else ""
        row = {"patientunitstayid": stay, "labname": name, "labresultoffset": offset, "labresult": number}
        row |= {"labresulttext": f"{value}  ", "labmeasurenamesystem": unit, "labresultrevisedoffset": offset + 30}
        return {**row, **more}

    @staticmethod
    def nurse(stay: int, offset: int, label: str, name: str, value: object) -> dict[str, object]:
        row = {"patientunitstayid": stay, "nursingchartoffset": offset, "nursingchartcelltypecat": "Vital Signs"}
        row |= {"nursingchartcelltypevallabel": label, "nursingchartcelltypevalname": name}
        return {**row, "nursingchartvalue": value}

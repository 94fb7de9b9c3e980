"""Small files of code systems, made after their descriptions, and the reader of each."""

from __future__ import annotations

from dataclasses import dataclass

from kg.readers.formats import FORMATS
from kg.readers.source import Format


def order_line(number: int, code: str, flag: int, short: str, long: str) -> str:
    """Give a line of the ICD-10-CM order file."""
    return f"{number:05d} {code:<7} {flag} {short:<60} {long}\n"


ORDER = "".join(
    [
        order_line(1, "N17", 0, "Acute kidney failure", "Acute kidney failure"),
        order_line(2, "N170", 1, "Acute kidney failure w tubular necr", "Acute kidney failure with tubular necrosis"),
        order_line(3, "N179", 1, "Acute kidney failure, unspecified", "Acute kidney failure, unspecified"),
        order_line(4, "S06", 0, "Intracranial injury", "Intracranial injury"),
        order_line(5, "S060", 0, "Concussion", "Concussion"),
        order_line(6, "S060X0", 0, "Concussion without LOC", "Concussion without loss of consciousness"),
        order_line(7, "S060X0A", 1, "Concussion without LOC, init", "Concussion without loss of consciousness, first"),
    ]
)
ICD9_LONG = """0380  Streptococcal septicemia
03811 Methicillin susceptible Staphylococcus aureus septicemia
38601 Active Ménière's disease, cochleovestibular
7806  Fever
V1005 Personal history of malignant neoplasm of large intestine
E8500 Accidental poisoning by heroin
"""
ICD9_SHORT = """0380  Streptococcal septicemia
03811 Meth susc Staph aur sept
"""
MIMIC = """icd_code,icd_version,long_title
038,9,Septicemia
0380,9,"Streptococcal septicemia"
N17,10,Acute kidney failure
N179,10,"Acute kidney failure, unspecified"
"""
DXREF = """NOTE: New codes are introduced in October.
'ICD-9-CM CODE','CCS CATEGORY','CCS CATEGORY DESCRIPTION','ICD-9-CM CODE DESCRIPTION','OPTIONAL CCS CATEGORY',\
'OPTIONAL CCS CATEGORY DESCRIPTION'
'     ','0    ','No DX',"INVALID CODES IN USER DATA",' ',' '
'0380 ','2    ','Septicemia',"STREPTOCOCCAL SEPTICEMIA",' ',' '
'5849 ','157  ','Ac renl fail',"ACUTE KIDNEY FAILURE NOS",' ',' '
'E9500','662  ','Suicide',"SELF-INFL INJ ANALGES",'2613','E Codes: Poisoning'
"""
MULTI = """'ICD-9-CM CODE','CCS LVL 1','CCS LVL 1 LABEL','CCS LVL 2','CCS LVL 2 LABEL','CCS LVL 3','CCS LVL 3 LABEL',\
'CCS LVL 4','CCS LVL 4 LABEL'
'01000','1',"Infectious and parasitic diseases",'1.1',"Bacterial infection",'1.1.1',"Tuberculosis [1.]",' '," "
'01001','1',"Infectious and parasitic diseases",'1.1',"Bacterial infection",'1.1.1',"Tuberculosis [1.]",' '," "
'E8490','18',"Residual codes; all E codes [259. and 260.]",' '," ",' '," ",' '," "
'30500','5',"Mental illness",'5.11',"Alcohol disorders [660]",'5.11.1',"Finer [6601]",' '," "
"""
CCS10 = """'ICD-10-CM CODE','CCS CATEGORY','ICD-10-CM CODE DESCRIPTION','CCS CATEGORY DESCRIPTION','MULTI CCS LVL 1',\
'MULTI CCS LVL 1 LABEL','MULTI CCS LVL 2','MULTI CCS LVL 2 LABEL'
'N179','157','Acute kidney failure, unspecified','Acute and unspecified renal failure','10',\
'Diseases of the genitourinary system','10.1','Diseases of the urinary system'
"""
CCS10 = CCS10.replace("'Acute kidney failure, unspecified'", '"Acute kidney failure, unspecified"')
APPENDIX = """Appendix A - Clinical Classification Software-DIAGNOSES (January 1980 through September 2015)

Revised 03/24/2016

2    Septicemia (except in labor)
     0031 0202 0380
     V0999
2601 E Codes: Cut/pierceb
     E9200 E9201
"""
CCSR = (
    "'ICD-10-CM CODE','ICD-10-CM CODE DESCRIPTION','Default CCSR CATEGORY IP','Default CCSR CATEGORY DESCRIPTION IP',"
    "'Default CCSR CATEGORY OP','Default CCSR CATEGORY DESCRIPTION OP',"
    + ",".join(f"'CCSR CATEGORY {n}','CCSR CATEGORY {n} DESCRIPTION'" for n in range(1, 7))
    + "\n'A009',\"Cholera, unspecified\",'DIG001',Intestinal infection,'INF003',Bacterial infections,"
    "'DIG001',Intestinal infection,'INF003',Bacterial infections,'SYM001',Fever,' ',,' ',,' ',\n"
    "'I509','Heart failure','CIR019',Heart failure,'XXX111',Not acceptable,'CIR019',Heart failure,"
    "' ',,' ',,' ',,' ',,' ',\n"
    "'W000XXA','Fall','XXX000',Not acceptable,'XXX111',Not acceptable,'EXT003',Fall,' ',,' ',,' ',,' ',,' ',\n"
)
GEM9 = """0010  A000    00000
0021  A011    10000
00845 NoDx    11000
E8500 T401X1A 10000
03811 A4101   10111
03811 R6520   10112
"""
GEM10 = """A000    0010  00000
T401X1A E8500 10000
"""
LOINC_CORE = (
    '"LOINC_NUM","COMPONENT","PROPERTY","TIME_ASPCT","SYSTEM","SCALE_TYP","METHOD_TYP","CLASS","CLASSTYPE",'
    '"LONG_COMMON_NAME","SHORTNAME","EXTERNAL_COPYRIGHT_NOTICE","STATUS","VersionFirstReleased","VersionLastChanged"\n'
    '"2160-0","Creatinine","MCnc","Pt","Ser/Plas","Qn","","CHEM","1",'
    '"Creatinine [Mass/volume] in Serum or Plasma","Creat SerPl-mCnc","","ACTIVE","1.0","2.42"\n'
    '"8867-4","Heart rate","NRat","Pt","XXX","Qn","","HRTRATE","2","Heart rate","Heart rate","","ACTIVE","1.0","2.73"\n'
    '"1009-0","Direct antiglobulin test","ACnc","Pt","RBC","Ord","","BLDBK","1","Deprecated Direct antiglobulin","",'
    '"Copyright Somebody","DEPRECATED","1.0","2.68"\n'
    '"1000-9","Old ""test""","ACnc","Pt","RBC","Ord","","BLDBK","1","Trial of\na test","","","TRIAL","1.0","2.68"\n'
)
LOINC_FULL = (
    '"LOINC_NUM","COMPONENT","PROPERTY","TIME_ASPCT","SYSTEM","SCALE_TYP","METHOD_TYP","CLASS","VersionLastChanged",'
    '"CHNG_TYPE","DefinitionDescription","STATUS","CONSUMER_NAME","CLASSTYPE","RELATEDNAMES2","SHORTNAME",'
    '"EXTERNAL_COPYRIGHT_NOTICE","LONG_COMMON_NAME","STATUS_TEXT","DisplayName"\n'
    '"718-7","Hemoglobin","MCnc","Pt","Bld","Qn","","HEM/BC","2.68","MIN","Mass of hemoglobin in blood","ACTIVE",'
    '"Hemoglobin, Blood","1","Hgb; Hb;  ; Hgb Bld-mCnc","Hgb Bld-mCnc","","Hemoglobin [Mass/volume] in Blood","",'
    '"Hemoglobin (Bld) [Mass/Vol]"\n'
    '"52797-8","Claim","-","Pt","^Patient","-","","ATTACH","2.68","MIN","","DISCOURAGED","","3","","","","Old claim",'
    '"Use another one",""\n'
)
MAP_TO = '"LOINC","MAP_TO","COMMENT"\n"1009-0","1007-4",""\n"1000-9","1007-4","if A"\n"1000-9","1008-2","if B"\n'
LOINC2HPO = (
    "loincId\tloincScale\toutcome\thpoTermId\tsupplementalTermId\tcuration\tcomment\n"
    "2160-0\tQn\tH\tHP:0003259\t.\tHPO:x[2019-01-01]\t.\n"
    "2160-0\tQn\tL\tHP:0012101\t.\tHPO:x[2019-01-01]\t.\n"
    "2160-0\tQn\tN\tHP:0012100\t.\tHPO:x[2019-01-01]\tcopied\n"
    "600-7\tNom\tPOS\tHP:0031864\t.\tHPO:x[2019-01-01]\t.\n"
    "600-7\tNom\tNEG\tHP:0031864\t.\tHPO:x[2019-01-01]\t.\n"
    "883-9\tNom\tSNOMEDCT:112144000\tHP:0032370\t.\tHPO:x[2019-01-01]\t.\n"
)
LOINC2HPO_OLD = (
    "loincId\tloincScale\tsystem\tcode\thpoTermId\tisNegated\tcreatedOn\tcreatedBy\tlastEditedOn\tlastEditedBy\t"
    "version\tisFinalized\tcomment\n"
    "2823-3\tQn\tFHIR\tA\tHP:0011042\tfalse\t.\t.\t.\t.\t0.1\ttrue\t.\n"
    "2823-3\tQn\tFHIR\tN\tHP:0011042\ttrue\t.\t.\t.\t.\t0.1\ttrue\t.\n"
    "9269-2\tQn\tFHIR\tN\tHP:0001259\tfalse\t.\t.\t.\t.\t0.1\ttrue\t.\n"
    "600-7\tNom\thttp://snomed.info/sct\t3092008\tHP:0002726\tfalse\t.\t.\t.\t.\t0.1\ttrue\t.\n"
)
NAMES = 'id,synonym,scope\nHP:0002648,Abnormally shaped skull,exact\nHP:0200040,"Skin, ""cyst""",related\n'


@dataclass(frozen=True)
class Sample:
    """A file and what reads it; ``flat``: it has no header line."""

    format: str
    name: str
    text: str
    flat: bool = False

    @property
    def reader(self) -> Format:
        """The format of that name."""
        return FORMATS[self.format]


SAMPLES = (
    Sample("icd10cm-order", "icd10cm-order-2026.txt", ORDER, flat=True),
    Sample("icd9cm", "CMS32_DESC_LONG_DX.txt", ICD9_LONG, flat=True),
    Sample("mimic-icd", "d_icd_diagnoses.csv", MIMIC),
    Sample("ccs", "$dxref 2015.csv", DXREF),
    Sample("ccs", "ccs_multi_dx_tool_2015.csv", MULTI),
    Sample("ccs", "ccs_dx_icd10cm_2019_1.csv", CCS10),
    Sample("ccs", "AppendixASingleDX.txt", APPENDIX, flat=True),
    Sample("ccsr", "DXCCSR_v2026-1.csv", CCSR),
    Sample("gems", "2018_I9gem.txt", GEM9, flat=True),
    Sample("gems", "2018_I10gem.txt", GEM10, flat=True),
    Sample("loinc", "LoincTableCore.csv", LOINC_CORE),
    Sample("loinc", "Loinc.csv", LOINC_FULL),
    Sample("loinc2hpo", "loinc2hpo-annotations.tsv", LOINC2HPO),
    Sample("loinc2hpo", "annotations.tsv", LOINC2HPO_OLD),
    Sample("names", "names.csv", NAMES),
)

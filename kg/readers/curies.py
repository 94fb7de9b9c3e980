"""One spelling of ids: ``PREFIX:local``, the prefix in upper case and always the same for one vocabulary.

The spellings are those that occur in OBO files, HPO annotations, SSSOM sets and the RDF of ontology portals; names
follow HPO where it has one (``ORPHA``, ``UMLS``, ``SNOMEDCT_US``), else Bioregistry.
"""

from __future__ import annotations

import re
from functools import lru_cache

from kg.vocabulary import Category

_ALIASES = {
    "ICD-10-CM": "ICD10CM",
    "ICD-10CM": "ICD10CM",
    "ICD10-CM": "ICD10CM",
    "ICD-10": "ICD10",
    "ICD10WHO": "ICD10",
    "ICD-9": "ICD9",
    "ICD-9-CM": "ICD9CM",
    "ICD-9CM": "ICD9CM",
    "ICD9-CM": "ICD9CM",
    "ICD-10-PCS": "ICD10PCS",
    "ICD-O": "ICDO",
    "MIM": "OMIM",
    "MESH": "MESH",
    "MSH": "MESH",
    "NCI": "NCIT",
    "NCI_THESAURUS": "NCIT",
    "ORPHANET": "ORPHA",
    "ORDO": "ORPHA",
    "UMLS_CUI": "UMLS",
    "UMLS_CUIS": "UMLS",
    "CUI": "UMLS",
    "SCTID": "SNOMEDCT_US",
    "SNOMED": "SNOMEDCT_US",
    "SNOMEDCT": "SNOMEDCT_US",
    "SNOMED_CT": "SNOMEDCT_US",
    "SNOMED_CT_US": "SNOMEDCT_US",
    "SNOMEDCT_CT": "SNOMEDCT_US",
    "SNOMED-CT": "SNOMEDCT_US",
    "LNC": "LOINC",
    "RXCUI": "RXNORM",
    "RXNORM_CUI": "RXNORM",
    "PUBMED": "PMID",
    "MEDLINE": "PMID",
    "DRUG_BANK": "DRUGBANK",
    "ENTREZ": "NCBIGENE",
    "ENTREZGENE": "NCBIGENE",
}

LONGEST_ID = 1000
"""Characters; what is longer is a text, not an id."""

_CURIE = re.compile(r"(?![uU][rR][nN]:)[A-Za-z][A-Za-z0-9_.-]*:(?!//).")
_DATED = re.compile(r"(SNOMEDCT_US|SNOMEDCT|ICD10CM|ICD9CM|MEDDRA|UMLS)_\d{4}(_\d\d){0,2}")

_IRI_HEADS = (
    ("http://purl.obolibrary.org/obo/", ""),
    ("https://purl.obolibrary.org/obo/", ""),
    ("http://www.orpha.net/ORDO/Orphanet_", "ORPHA:"),
    ("https://loinc.org/", "LOINC:"),
    ("http://loinc.org/", "LOINC:"),
    ("http://loinc.org/rdf/", "LOINC:"),
    ("http://purl.bioontology.org/ontology/", "/"),
    ("http://snomed.info/id/", "SNOMEDCT_US:"),
    ("http://snomed.info/sct/", "SNOMEDCT_US:"),
    ("https://omim.org/entry/", "OMIM:"),
    ("http://omim.org/entry/", "OMIM:"),
    ("http://identifiers.org/", "/"),
    ("https://identifiers.org/", "/"),
    ("http://hl7.org/fhir/sid/icd-10-cm/", "ICD10CM:"),
    ("http://hl7.org/fhir/sid/icd-9-cm/", "ICD9CM:"),
    ("urn:clinragen:ccs:", "CCS:"),
    ("urn:clinragen:concept:", "CRG:"),
)

_CATEGORIES = {
    "HP": Category.PHENOTYPE,
    "SYMP": Category.PHENOTYPE,
    "MP": Category.PHENOTYPE,
    "DOID": Category.DISEASE,
    "MONDO": Category.DISEASE,
    "OMIM": Category.DISEASE,
    "OMIMPS": Category.DISEASE,
    "ORPHA": Category.DISEASE,
    "DECIPHER": Category.DISEASE,
    "CCS": Category.DISEASE,
    "CCSM": Category.DISEASE,
    "CCSR": Category.DISEASE,
    "ICD10CM": Category.DISEASE,
    "ICD9CM": Category.DISEASE,
    "ICD10": Category.DISEASE,
    "ICD10PCS": Category.PROCEDURE,
    "LOINC": Category.MEASUREMENT,
    "RXNORM": Category.DRUG,
    "DRUGBANK": Category.DRUG,
    "CHEBI": Category.DRUG,
    "HGNC": Category.GENE,
    "NCBIGENE": Category.GENE,
    "MAXO": Category.PROCEDURE,
    "UBERON": Category.ANATOMY,
    "ECTO": Category.EXPOSURE,
}

_CITATION_PREFIXES = frozenset(
    {"PMID", "PMC", "PMCID", "DOI", "ISBN", "ISBN-10", "ISBN-13", "HTTP", "HTTPS", "URL", "WIKI", "ORCID"}
)


@lru_cache(maxsize=4096)
def normalise_prefix(prefix: str) -> str:
    """Give the project's spelling of a vocabulary's name.

    >>> normalise_prefix("Orphanet"), normalise_prefix("SNOMEDCT_US_2025_09_01"), normalise_prefix("icd-10-cm")
    ('ORPHA', 'SNOMEDCT_US', 'ICD10CM')
    """
    upper = "_".join(prefix.upper().split())
    dated = _DATED.fullmatch(upper)
    if dated:
        upper = dated.group(1)
    return _ALIASES.get(upper, upper)


def normalise(identifier: str) -> str:
    """Give an id as the graph writes it; what is no CURIE and no known IRI comes back trimmed.

    >>> normalise("Orphanet:2590"), normalise("http://purl.obolibrary.org/obo/HP_0001945")
    ('ORPHA:2590', 'HP:0001945')
    """
    prefix, colon, local = identifier.partition(":")
    if local and "/" not in local and " " not in identifier and identifier.isprintable():  # nearly every one
        name, plain = _prefix(prefix)
        if plain:
            return f"{name}:{local}"
    text = identifier.strip()
    if "://" in text or text.startswith("urn:"):
        return _contract(text)
    prefix, colon, local = text.partition(":")
    if not colon or not prefix:
        return text
    prefix = normalise_prefix(prefix)
    local = local.strip()
    if prefix == "ICD10CM":
        local = dotted(local)
    elif prefix == "ICD9CM":
        local = dotted9(local)
    return f"{prefix}:{local}"


@lru_cache(maxsize=4096)
def _prefix(written: str) -> tuple[str, bool]:
    """Give a prefix's spelling, and whether ids with it are left as they are."""
    prefix = normalise_prefix(written)
    return prefix, prefix not in ("ICD10CM", "ICD9CM", "URN", "")


def _contract(iri: str) -> str:
    for head, prefix in _IRI_HEADS:
        if not iri.startswith(head):
            continue
        tail = iri.removeprefix(head)
        if prefix not in ("", "/"):
            return normalise(prefix + tail) if tail and "/" not in tail else iri
        name, separator, local = tail.rpartition("_" if prefix == "" else "/")
        if separator and local and "/" not in name and "#" not in name and ":" not in local:
            return normalise(f"{name}:{local}")
        return normalise(tail) if ":" in tail and "/" not in tail else iri
    return iri


def dotted(code: str) -> str:
    """Give an ICD-10-CM code with its point; ranges (``A00-A09``) stay as they are.

    >>> dotted("n179"), dotted("I50"), dotted("A00-A09")
    ('N17.9', 'I50', 'A00-A09')
    """
    upper = code.strip().upper()
    if len(upper) > 3 and upper[3] != "." and "-" not in upper and upper.isalnum():
        return f"{upper[:3]}.{upper[3:]}"
    return upper


def dotted9(code: str) -> str:
    """Give an ICD-9-CM diagnosis code with its point, which stands after E and three digits, else after three places.

    Procedures (``00.01``) and ranges stay as they are; without a point every code is taken for a diagnosis.

    >>> dotted9("0389"), dotted9("v1005"), dotted9("E8500"), dotted9("E850"), dotted9("001-139.99")
    ('038.9', 'V10.05', 'E850.0', 'E850', '001-139.99')
    """
    upper = code.strip().upper()
    head = 4 if upper.startswith("E") else 3
    if len(upper) > head and upper.isalnum():
        return f"{upper[:head]}.{upper[head:]}"
    return upper


def is_curie(identifier: str) -> bool:
    """Say whether this is ``PREFIX:local`` without blanks and what cannot be seen, and no address or URN.

    >>> is_curie("HP:0001945"), is_curie("https://example.org"), is_curie("HP:0001945\u200b"), is_curie("a b:1")
    (True, False, False, False)
    """
    return (
        len(identifier) <= LONGEST_ID
        and identifier.isprintable()
        and _CURIE.match(identifier) is not None
        and " " not in identifier
    )


def is_citation(identifier: str) -> bool:
    """Say whether a cross-reference names a publication or page rather than a concept."""
    return identifier.partition(":")[0].upper() in _CITATION_PREFIXES


@lru_cache(maxsize=4096)
def _naming(written: str) -> tuple[str, bool]:
    """Give a prefix's spelling, and whether ids with it are left as they are and name concepts."""
    prefix, plain = _prefix(written)
    return prefix, plain and prefix not in _CITATION_PREFIXES


def cross_reference(written: str) -> tuple[str, bool]:
    """Give a cross-reference as `normalise` does, and whether it is the id of a concept (no citation, no address).

    >>> cross_reference("UMLS_CUI:C0015967"), cross_reference("PMID:1"), cross_reference("https://example.org/1")
    (('UMLS:C0015967', True), ('PMID:1', False), ('https://example.org/1', False))
    """
    prefix, _, local = written.partition(":")
    if local and "/" not in local and " " not in written and written.isprintable():  # nearly every one
        name, plain = _naming(prefix)
        if plain:
            return f"{name}:{local}", True
    target = normalise(written)
    return target, is_curie(target) and not is_citation(target)


def category_of(identifier: str) -> Category:
    """Guess a concept's category by its prefix; `Category.OTHER` where the prefix does not tell."""
    return _CATEGORIES.get(identifier.partition(":")[0], Category.OTHER)

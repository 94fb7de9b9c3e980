"""From a CURIE to an address (IRI): what `kg.readers.curies.normalise` takes apart, put together again.

Each vocabulary has the address that it is published under; for all others it is the compact form of identifiers.org.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from kg.readers.curies import is_curie

_OBO = frozenset(
    """
    HP MONDO DOID SYMP MP MAXO ECTO UBERON CL GO CHEBI PATO PR SO OBA NBO MFOMD TRANS FOODON ENVO GENO VO OBI IAO BFO RO
    """.split()  # noqa: SIM905
)
_HEADS = {
    **{prefix: f"http://purl.obolibrary.org/obo/{prefix}_" for prefix in _OBO},
    "NCBITAXON": "http://purl.obolibrary.org/obo/NCBITaxon_",
    "ORPHA": "http://www.orpha.net/ORDO/Orphanet_",
    "LOINC": "https://loinc.org/",
    "SNOMEDCT_US": "http://snomed.info/id/",
    "OMIM": "https://omim.org/entry/",
    "ICD10CM": "http://purl.bioontology.org/ontology/ICD10CM/",
    "ICD9CM": "http://purl.bioontology.org/ontology/ICD9CM/",
    "RXNORM": "http://purl.bioontology.org/ontology/RXNORM/",
    "CCS": "urn:clinragen:ccs:",
    "CRG": "urn:clinragen:concept:",
}
PLAIN = r"[A-Za-z0-9._~:/?@!$&'()*+,;=-]*"
"""Signs that may stand in an IRI as they are; a local id with any other is written with percent signs throughout."""
_SIGN = r"(?:[A-Za-z0-9._~:/@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})"
ADDRESS = rf"(?:https?|ftp)://[A-Za-z0-9.-]+(?::[0-9]+)?(?:/{_SIGN}*)?(?:\?(?:{_SIGN}|\?)*)?(?:#(?:{_SIGN}|\?)*)?"
"""Text that is a web address itself."""


def iri_head(prefix: str) -> str:
    """Give what stands before the local id in the IRIs of a vocabulary.

    >>> iri_head("HP"), iri_head("UMLS")
    ('http://purl.obolibrary.org/obo/HP_', 'https://identifiers.org/umls:')
    """
    return _HEADS.get(prefix) or f"https://identifiers.org/{quote(prefix.lower(), safe='')}:"


def expand(curie: str) -> str | None:
    """Give the IRI of a CURIE; an address comes back as it is, None for what is neither.

    >>> expand("HP:0001945"), expand("CCS:157")
    ('http://purl.obolibrary.org/obo/HP_0001945', 'urn:clinragen:ccs:157')
    """
    if re.fullmatch(ADDRESS, curie):
        return curie
    if not is_curie(curie):
        return None
    prefix, _, local = curie.partition(":")
    return iri_head(prefix) + (local if re.fullmatch(PLAIN, local) else quote(local, safe=""))

"""A small Snapshot directory of SNOMED CT, made after the specification; names and ids are invented."""

from __future__ import annotations

FSN, SYN, PREFERRED, ACCEPTABLE = "900000000000003001", "900000000000013009", "900000000000548007", "900000000000549004"


US, GB = "900000000000509007", "900000000000508004"


ROOT, COLD, GLOW, GERM, NOSE, PILL, GRAIN, OLD, GONE, BOTH = (f"90{n}00{n}" for n in range(1, 11))


IS_A, SITE, AGENT, DUE, INGREDIENT = "116680003", "363698007", "246075003", "42752001", "127489000"


HEADS = {
    "concept": "id effectiveTime active moduleId definitionStatusId",
    "description": "id effectiveTime active moduleId conceptId languageCode typeId term caseSignificanceId",
    "relationship": "id effectiveTime active moduleId sourceId destinationId relationshipGroup typeId "
    "characteristicTypeId modifierId",
    "refset": "id effectiveTime active moduleId refsetId referencedComponentId",
}


def table(head: str, *rows: tuple[str, ...]) -> str:
    return "".join("\t".join(row) + "\n" for row in (tuple(head.split()), *rows))


def concept(identifier: str, active: str = "1", time: str = "20990101") -> tuple[str, ...]:
    return identifier, time, active, "900000000000207008", "900000000000074008"


def described(number: int, cid: str, term: str, kind: str = SYN, active: str = "1") -> tuple[str, ...]:
    return f"7{number:06}", "20990101", active, "900000000000207008", cid, "en", kind, term, "900000000000448009"


def related(
    number: int,
    source: str,
    kind: str,
    target: str,
    how: str = "900000000000011006",
    active: str = "1",
    time: str = "20990101",
) -> tuple[str, ...]:
    return f"8{number:06}", time, active, "9000000", source, target, "0", kind, how, "900000000000451002"


def member(number: int, refset: str, component: str, *values: str) -> tuple[str, ...]:
    return f"00000000-0000-0000-0000-{number:012}", "20990101", "1", "9000000", refset, component, *values


DESCRIPTIONS = [
    described(1, ROOT, "SNOMED CT Concept (SNOMED RT+CTV3)", FSN),
    described(2, COLD, "Sniffle disease (disorder)", FSN),
    described(3, COLD, "Sniffles"),
    described(4, COLD, "Sniffle disease"),
    described(5, COLD, "Snuffles", active="0"),
    described(6, GLOW, "Glow (of skin) (finding)", FSN),
    described(7, GERM, "Sniffle germ (organism)", FSN),
    described(8, NOSE, "Nasal structure (body structure)", FSN),
    described(9, PILL, "Product containing sniffol (medicinal product)", FSN),
    described(10, GRAIN, "Sniffol (substance)", FSN),
    described(11, OLD, "Old sniffle disease (disorder)", FSN),
    described(12, GONE, "Vague trouble (finding)", FSN),
    described(13, IS_A, "Is a (attribute)", FSN),
    described(14, SITE, "Finding site (attribute)", FSN),
    described(15, SITE, "Finding site"),
    described(16, AGENT, "Causative agent (attribute)", FSN),
    described(17, "999999999", "Nobody's name"),
]


FILES: dict[str, str | bytes] = {
    "sct2_Concept_Snapshot_INT_20990101.txt": table(
        HEADS["concept"],
        *map(concept, (ROOT, COLD, GLOW, GERM, NOSE, PILL, GRAIN, IS_A, SITE, AGENT, BOTH)),
        concept(OLD, "0"),
        concept(GONE, "0"),
    ),
    "sct2_Description_Snapshot-en_INT_20990101.txt": table(HEADS["description"], *DESCRIPTIONS),
    "sct2_TextDefinition_Snapshot-en_INT_20990101.txt": table(
        HEADS["description"], described(50, COLD, "A disease of the nose.", "900000000000550004")
    ),
    "sct2_Relationship_Snapshot_INT_20990101.txt": table(
        HEADS["relationship"],
        related(1, COLD, IS_A, ROOT),
        related(2, COLD, SITE, NOSE),
        related(3, COLD, AGENT, GERM),
        related(4, GLOW, DUE, COLD),
        related(5, PILL, INGREDIENT, GRAIN),
        related(6, PILL, "363701004", GRAIN),
        related(7, COLD, IS_A, GLOW, "900000000000010007"),
        related(8, COLD, IS_A, GERM, active="0"),
        related(9, COLD, IS_A, "999999999"),
        related(10, COLD, SITE, NOSE),
    ),
    "der2_cRefset_LanguageSnapshot-en_INT_20990101.txt": table(
        HEADS["refset"] + " acceptabilityId",
        member(1, US, "7000003", ACCEPTABLE),
        member(2, US, "7000004", PREFERRED),
        member(3, GB, "7000003", PREFERRED),
    ),
    "der2_cRefset_AssociationSnapshot_INT_20990101.txt": table(
        HEADS["refset"] + " targetComponentId",
        member(1, "900000000000526001", OLD, GLOW),
        member(2, "900000000000527005", OLD, COLD),
        member(3, "900000000000523009", GONE, GLOW),
        member(4, "900000000000528000", GONE, ROOT),
        member(5, "900000000000526001", COLD, GLOW),
    ),
    "der2_iisssccRefset_ExtendedMapSnapshot_US_20990101.txt": table(
        HEADS["refset"] + " mapGroup mapPriority mapRule mapAdvice mapTarget correlationId mapCategoryId",
        member(1, "6011000124106", COLD, "1", "1", "IFA 1 | Age |", "x", "J00.1", "1", "1"),
        member(2, "6011000124106", COLD, "1", "2", "OTHERWISE TRUE", "x", "J00.0", "1", "1"),
        member(3, "6011000124106", COLD, "2", "1", "TRUE", "x", "B34.9", "1", "1"),
        member(4, "447562003", COLD, "1", "1", "TRUE", "x", "J00", "1", "1"),
        member(5, "6011000124106", GLOW, "1", "1", "TRUE", "x", "T36.0X1?", "1", "1"),
        member(6, "6011000124106", GERM, "1", "1", "TRUE", "x", "", "1", "1"),
        member(7, "5555555", GLOW, "1", "1", "TRUE", "x", "Z00", "1", "1"),
    ),
}

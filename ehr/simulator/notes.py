"""Discharge notes: sections, paraphrase, abbreviations, misspellings, negated, historical and family mentions.

Names of the 25 diagnoses stand in the discharge diagnosis alone, which no model sees. In the split ``test_words`` every
mention of a finding, negated ones too, is in held-out words.
"""

from __future__ import annotations

import random
import textwrap
from collections.abc import Sequence

from ehr.simulator.cases import Case, Patient
from ehr.simulator.tables import FINDING, Tables

MISSPELLING_RATE = 0.004
"""Probability that a word of seven letters or more is misspelled."""

ABBREVIATION_RATE = 0.25
_WIDTH = 78
_AREAS = ("general", "heent", "neck", "cv", "lungs", "abdomen", "rectal", "extremities", "skin", "neuro", "wound")


class NoteWriter:
    """Writes the notes of one simulation; holds the word lists, no state of patients."""

    def __init__(self, tables: Tables) -> None:
        """Prepare the lists of findings by section."""
        self.tables = tables
        self.words = tables.words
        self._deniable = [place for place, finding in enumerate(tables.findings) if finding.section == "symptom"]
        self._absent_signs = [place for place, finding in enumerate(tables.findings) if finding.section == "sign"]

    def write(self, patient: Patient, case: Case, vitals: dict[str, float], seed: int) -> str:
        """Write one note.

        Args:
            patient: whose note.
            case: which admission and what it shows.
            vitals: vital signs on arrival by series name, in the series' units.
            seed: of this note's wording.
        """
        return _Note(self, patient, case, random.Random(seed)).text(vitals)


class _Note:
    """One note in the making."""

    def __init__(self, writer: NoteWriter, patient: Patient, case: Case, chance: random.Random) -> None:
        self.writer, self.patient, self.case, self.chance = writer, patient, case, chance
        self.tables, self.words = writer.tables, writer.words
        self.shown: dict[str, list[int]] = {}
        for place in case.findings:
            self.shown.setdefault(self.tables.findings[place].section, []).append(place)

    def text(self, vitals: dict[str, float]) -> str:
        """Put the sections together, MIMIC style."""
        symptoms = self.shown.get("symptom", [])
        self.chance.shuffle(symptoms)
        parts = [
            ("Chief Complaint", self.chief_complaint(symptoms)),
            ("History of Present Illness", self.fill(self.history(symptoms))),
            ("Past Medical History", self.past()),
            ("Social History", self.fill(self.social())),
            ("Family History", self.fill(self.family())),
            ("Medications on Admission", self.medications()),
            ("Physical Exam", self.examination(vitals)),
            ("Brief Hospital Course", self.fill(self.course())),
            ("Discharge Medications", self.medications()),
            ("Discharge Disposition", "Extended care" if self.case.stay_hours > 200 else "Home"),
            (
                "Discharge Diagnosis",
                "\n".join(self.tables.diseases[place].name for place in self.case.diseases) or "None",
            ),
        ]
        sex = "F" if self.patient.female else "M"
        head = f"\nName:  ___                 Unit No:   ___\n\nSex:   {sex}\n\nAllergies:\nNo Known Allergies\n\n"
        body = "\n\n".join(f"{heading}:\n{text}" for heading, text in parts)
        return f"{head}{body}\n\nFollowup Instructions:\n___\n"

    def say(self, place: int) -> str:
        """Give a finding in words of the patient's split."""
        finding = self.tables.findings[place]
        return self.chance.choice(finding.held_out if self.patient.split == "test_words" else finding.train)

    def one(self, key: str) -> str:
        """Give one of the templates under a key."""
        choices: Sequence[str] = self.words[key]
        return self.chance.choice(choices)

    def fill(self, sentences: list[str]) -> str:
        """Join sentences to wrapped text with abbreviations and misspellings."""
        return "\n".join(textwrap.wrap(self.noisy(" ".join(sentences)), _WIDTH))

    def noisy(self, text: str) -> str:
        """Abbreviate and misspell some words."""
        words = text.split(" ")
        short: dict[str, str] = self.words["abbreviations"]
        for place, word in enumerate(words):
            if word in short and self.chance.random() < ABBREVIATION_RATE:
                words[place] = short[word]
            elif len(word) >= 7 and word.isalpha() and self.chance.random() < MISSPELLING_RATE:
                at = self.chance.randrange(1, len(word) - 2)
                swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
                words[place] = swapped if self.chance.random() < 0.5 else word[:at] + word[at + 1 :]
        return " ".join(words)

    def format(self, template: str, **more: str) -> str:
        """Fill a template's fields about the person."""
        female = self.patient.female
        return template.format(
            age=int(self.case.age) if self.case.age < 90 else "90+",
            sex="F" if female else "M",
            man="woman" if female else "man",
            He="She" if female else "He",
            n=self.chance.randint(2, 9),
            years=self.chance.randint(30, 70),
            **more,
        )

    def listed(self, places: list[int], last: str = "and") -> str:
        """Join findings to ``a, b and c``."""
        words = [self.say(place) for place in places]
        if len(words) < 2:
            return "".join(words)
        return f"{', '.join(words[:-1])} {last} {words[-1]}"

    def absent(self, pool: list[int], count: int) -> list[int]:
        """Choose findings that the patient does not show and that nothing keeps out of the note."""
        never = self.case.limits.suppressed
        free = [place for place in pool if place not in self.case.findings and (FINDING, place, 0) not in never]
        return self.chance.sample(free, min(count, len(free)))

    def chief_complaint(self, symptoms: list[int]) -> str:
        if not symptoms:
            return self.one("complaint_none")
        said = ", ".join(self.say(place) for place in symptoms[: self.chance.choice((1, 1, 2))])
        return said[0].upper() + said[1:]

    def history(self, symptoms: list[int]) -> list[str]:
        """Write the history of the present illness as sentences."""
        if symptoms:
            first = self.chance.randint(1, min(3, len(symptoms)))
            sentences = [self.format(self.one("opening"), list=self.listed(symptoms[:first]))]
            rest = symptoms[first:]
            while rest:
                taken = self.chance.randint(1, min(3, len(rest)))
                sentences.append(self.format(self.one("more"), list=self.listed(rest[:taken])))
                rest = rest[taken:]
        else:
            sentences = [self.format(self.one("opening_none"))]
        later = [self.one("distractors") for _ in range(self.chance.choice((0, 1, 1, 2)))]
        for _ in range(self.chance.choice((1, 1, 2))):
            denied = self.absent(self.writer._deniable, self.chance.randint(1, 4))
            if denied:
                later.append(
                    self.format(self.one("negated"), list=self.listed(denied), **{"or": self.listed(denied, "or")})
                )
        if self.chance.random() < 0.25:
            later += [self.format(self.one("historical"), one=self.say(place)) for place in self.mentioned()]
        self.chance.shuffle(later)
        return sentences + later + self.studies()

    def mentioned(self) -> list[int]:
        """Choose a symptom to mention of the past or of a relative."""
        return self.absent(self.writer._deniable, 1)

    def studies(self) -> list[str]:
        """Write what was seen in the emergency department's studies."""
        modalities: dict[str, list[str]] = self.words["modalities"]
        by_area: dict[str, list[int]] = {}
        for place in self.shown.get("study", []):
            by_area.setdefault(self.tables.findings[place].area, []).append(place)
        sentences = []
        for area, names in modalities.items():
            modality = self.chance.choice(names)
            if area in by_area:
                sentences.append(self.one("studies").format(modality=modality, list=self.listed(by_area[area])))
            elif self.chance.random() < 0.15:
                sentences.append(self.one("studies_plain").format(modality=modality))
        return sentences

    def past(self) -> str:
        lines = [self.say(place) for place in self.shown.get("history", [])]
        lines += self.chance.sample(self.words["conditions"], self.chance.choice((0, 1, 2, 2, 3)))
        self.chance.shuffle(lines)
        return "\n".join(f"{number}. {self.noisy(line)}" for number, line in enumerate(lines, 1)) or "None"

    def social(self) -> list[str]:
        said = [f"{text[0].upper()}{text[1:]}." for text in map(self.say, self.shown.get("social", []))]
        return said + self.chance.sample(self.words["social_plain"], self.chance.choice((0, 1, 1, 2)) or (not said))

    def family(self) -> list[str]:
        if self.chance.random() < 0.4:
            told = [self.format(self.one("family"), one=self.say(place)) for place in self.mentioned()]
            if told:
                return told
        return [self.one("family_plain")]

    def medications(self) -> str:
        places = sorted(self.case.home_drugs)
        if not places:
            return "None"
        head = "The Preadmission Medication list is accurate and complete."
        lines = []
        for number, place in enumerate(places, 1):
            drug = self.tables.home_drugs[place]
            lines.append(f"{number}. {drug.name[0].upper()}{drug.name[1:]} {drug.sig}")
        return "\n".join([head, *lines] if self.chance.random() < 0.5 else lines)

    def examination(self, vitals: dict[str, float]) -> str:
        """Write vital signs and the examination by area."""
        fahrenheit = vitals["temperature"] * 1.8 + 32
        oxygen = "RA" if vitals["FiO2"] < 24 else f"{max(1, round((vitals['FiO2'] - 21) / 4))}L NC"
        lines = [
            f"VS: T {fahrenheit:.1f} HR {vitals['HR']:.0f} BP {vitals['SBP']:.0f}/{vitals['DBP']:.0f} "
            f"RR {vitals['RR']:.0f} SpO2 {vitals['SpO2']:.0f}% {oxygen}"
        ]
        by_area: dict[str, list[int]] = {}
        for place in self.shown.get("sign", []):
            by_area.setdefault(self.tables.findings[place].area, []).append(place)
        missing = self.absent(self.writer._absent_signs, self.chance.choice((1, 2, 2, 3, 4)))
        for area in _AREAS:
            signs, normal = by_area.get(area, []), self.words["normal"].get(area)
            absent = [place for place in missing if self.tables.findings[place].area == area]
            said = [self.say(place) for place in signs]
            if not said and normal and self.chance.random() < 0.75:
                said.append(self.chance.choice(normal))
            if absent:
                said.append(f"no {self.listed(absent, 'or')}")
            if said:
                lines.append(self.chance.choice(self.words["areas"][area]).format(x=self.noisy(", ".join(said))))
        return "\n".join(lines)

    def course(self) -> list[str]:
        drugs = [
            self.tables.ward_drugs[place].name for place, cause in sorted(self.case.ward_drugs.items()) if cause >= 0
        ]
        sentences = [self.one("course").format(drugs=", ".join(drugs[:5]))] if drugs else []
        return sentences + self.chance.sample(self.words["course_plain"], 2)

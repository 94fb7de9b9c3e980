"""Diagnosis of admissions: link, retrieve, predict, and say why, with evidence that can be looked up in the graph."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from distill.predict import LabelEvidence, Predictions, predict
from distill.rationale import ParsedRationale, ToldSentence, parse_output, verify
from distill.recorded import record, run_name, store_recorded
from distill.run import Run
from distill.teachers import concept_names
from distill.teachers.graph import Case, GraphTeacher
from distill.teachers.grounding import ground
from distill.teachers.support import SupportIndex, can_support
from distill.types import Diagnosis, DiseaseResult, NodeEvidence, Rationale, RationaleSentence
from ehr.cohort import Cohort, create_cohort
from ehr.errors import InputError
from ehr.files import JsonValue
from ehr.progress import console
from ehr.schemas import ADMISSIONS_SCHEMA, FOLDS_SCHEMA, MEDICATIONS_SCHEMA, NOTES_SCHEMA, SERIES_SCHEMA
from ehr.types import Admission
from kg.bundle import Bundle
from kg.link import findings_of, link_cohort
from kg.queries import run_evidence
from kg.retrieve import retrieve_cohort, subgraphs_of
from kg.stores.base import GraphStore
from kg.types import Finding, PatientSubgraph

Rows = list[dict[str, object]]
EVIDENCE_LIMIT = 20
"""Admissions beyond which the store is not asked for evidence unless the caller says so: one is read, not thousands."""
_NO_FINDING = ("no finding in the graph explains", "the graph has no finding that explains")


@dataclass(frozen=True, slots=True)
class DiagnosedAdmission:
    """A diagnosis with all that a report needs.

    Attributes:
        diagnosis: diseases, rationale, attended evidence.
        admission: what was known of the patient.
        findings, subgraph: what was linked and retrieved.
        thresholds: calibrated probability from which a disease is named, by phenotype.
        evidence: rows of the evidence queries by name, as the store gave them; empty without a store.
        store: address of that store, without credentials.
    """

    diagnosis: Diagnosis
    admission: Admission
    findings: tuple[Finding, ...]
    subgraph: PatientSubgraph
    thresholds: Mapping[str, float]
    evidence: Mapping[str, Rows] = field(default_factory=dict)
    store: str = ""


def diagnose(
    run: Run,
    bundle: Bundle,
    *,
    cohort: Cohort | None = None,
    admission_ids: Sequence[str] | None = None,
    admission: Admission | None = None,
    store: GraphStore | None = None,
    write: bool = False,
) -> list[Diagnosis]:
    """Diagnose admissions; see `diagnose_admissions`, of which this gives the diagnoses alone."""
    told = diagnose_admissions(
        run, bundle, cohort=cohort, admission_ids=admission_ids, admission=admission, store=store, write=write
    )
    return [one.diagnosis for one in told]


def diagnose_admissions(
    run: Run,
    bundle: Bundle,
    *,
    cohort: Cohort | None = None,
    admission_ids: Sequence[str] | None = None,
    admission: Admission | None = None,
    store: GraphStore | None = None,
    write: bool = False,
    evidence: bool | None = None,
    generate: bool = True,
) -> list[DiagnosedAdmission]:
    """Diagnose admissions of a cohort, or one that is in none.

    Args:
        run: its last finished stage predicts.
        bundle: the graph that the run was trained with.
        cohort: linked and retrieved; with ``admission_ids`` (all of them where that is None).
        admission_ids: in any order, the result keeps it.
        admission: one admission outside any cohort, in place of ``cohort``; it is linked and retrieved with the
            settings of the run's cohort in a private temporary directory.
        store: asked for evidence; with ``write`` it also gets the diagnoses.
        write: keep the diagnoses in the run's ``diagnoses.parquet``, and put them into the store where one is given
            (pseudonymous, no text).
        evidence: ask the store for evidence (None: for up to `EVIDENCE_LIMIT` admissions).
        generate: let the student write its rationale.

    Raises:
        InputError: where neither or both of cohort and admission are given, an id is unknown, a table is missing, or
            the store lacks the graph.
    """
    if (cohort is None) == (admission is None):
        raise InputError("give a cohort or one admission", remedy="--admission ID or --cohort COHORT, or --input FILE")
    if admission is not None:
        with _cohort_of(admission, run, bundle) as own:
            told = _diagnose(run, bundle, own, [admission.admission_id], generate)
    else:
        assert cohort is not None  # noqa: S101 - said above
        ids = list(cohort.ids() if admission_ids is None else admission_ids)
        known = set(cohort.ids())
        if unknown := [one for one in ids if one not in known]:
            raise InputError(f"no admission {unknown[0]!r}", where=cohort.path, remedy="see admissions.parquet")
        told = _diagnose(run, bundle, cohort, list(dict.fromkeys(ids)), generate)
    wanted = len(told) <= EVIDENCE_LIMIT if evidence is None else evidence
    if store is not None and wanted:
        told = [replace(one, evidence=fetch_evidence(store, one), store=store.url) for one in told]
    if write:
        record(run, [one.diagnosis for one in told])
        if store is not None:
            store_recorded(run, store)
    return told


# --- an admission that is in no cohort ----------------------------------------------------------------------------


@contextmanager
def _silence() -> Iterator[None]:
    """Keep the progress bars of a single admission away; errors still come through."""
    before = console.quiet
    console.quiet = True
    try:
        yield
    finally:
        console.quiet = before


def _settings(run: Run) -> dict[str, JsonValue]:
    """Give how the run's cohort was linked and retrieved, as its manifest says; nothing where it is gone."""
    try:
        tables = Cohort.open(Path(str(run.manifest.get("cohort_path")))).manifest.get("tables")
    except InputError:
        return {}
    found: dict[str, JsonValue] = {}
    for name in ("findings", "subgraphs"):
        entry = tables.get(name) if isinstance(tables, dict) else None
        found |= entry if isinstance(entry, dict) else {}
    return found


@contextmanager
def _cohort_of(admission: Admission, run: Run, bundle: Bundle) -> Iterator[Cohort]:
    """Give a cohort of one admission, linked and retrieved; it is gone afterwards."""
    key = admission.admission_id
    settings = _settings(run)
    nodes, seed = settings.get("nodes"), settings.get("seed")
    with tempfile.TemporaryDirectory(prefix="clinragen-") as directory, _silence():
        cohort = create_cohort(Path(directory), {"source": "input"})
        for name, frame in _tables(admission).items():
            cohort.write_table(name, frame, "input")
        link_cohort(cohort, bundle, mask_labels=settings.get("mask_labels") is True)
        retrieve_cohort(
            cohort, bundle, nodes=nodes if isinstance(nodes, int) else 64, seed=seed if isinstance(seed, int) else 0
        )
        if key not in subgraphs_of(cohort, [key]):
            raise InputError("nothing could be retrieved for this admission", where=key)
        yield cohort


def _tables(admission: Admission) -> dict[str, pl.DataFrame]:
    key = {"admission_id": admission.admission_id}
    person = {"patient_id": admission.patient_id}
    about = {
        "age": admission.age,
        "sex": admission.sex,
        "admission_type": admission.admission_type,
        "length_of_stay_hours": admission.length_of_stay_hours,
        "year_group": None,
        "labels": sorted(admission.labels),
        "split": "test",
    }
    notes = [{**key, "section": n.section, "text": n.text, "origin": n.origin} for n in admission.notes]
    series = [
        {**key, "code": s.code, "hours": h, "value": v, "unit": s.unit, "source_row": row}
        for s in admission.series
        for h, v, row in zip(s.hours.tolist(), s.values.tolist(), s.source_rows, strict=True)
    ]
    drugs = [
        {**key, "name": m.name, "hours": m.hours, "before_admission": m.before_admission, "source_row": m.source_row}
        for m in admission.medications
    ]
    return {
        "admissions": pl.DataFrame([{**person, **key, **about}], schema=ADMISSIONS_SCHEMA),
        "notes": pl.DataFrame(notes, schema=NOTES_SCHEMA),
        "series": pl.DataFrame(series, schema=SERIES_SCHEMA),
        "medications": pl.DataFrame(drugs, schema=MEDICATIONS_SCHEMA),
        "folds": pl.DataFrame([{**person, "fold": 0}], schema=FOLDS_SCHEMA),
    }


# --- diagnosis ----------------------------------------------------------------------------------------------------


def _diagnose(run: Run, bundle: Bundle, cohort: Cohort, ids: Sequence[str], generate: bool) -> list[DiagnosedAdmission]:
    if not run.stages:
        raise InputError("no stage is finished", where=run.path, remedy="run `distill run` again")
    found = predict(run, cohort, ids, stage=max(run.stages), generate=generate, explain=True)
    findings, subgraphs = findings_of(cohort, ids), subgraphs_of(cohort, ids)
    people = {one.admission_id: one for one in cohort.admissions(ids=ids)}
    names = concept_names(bundle)
    told = []
    for row, key in enumerate(found.ids):
        if key not in subgraphs:
            raise InputError("an admission has no subgraph", where=cohort.path, remedy="run `kg retrieve` again")
        told.append(_one(run, found, row, people[key], findings[key], subgraphs[key], names))
    return told


def _one(
    run: Run,
    found: Predictions,
    row: int,
    admission: Admission,
    findings: Sequence[Finding],
    subgraph: PatientSubgraph,
    names: Mapping[str, str],
) -> DiagnosedAdmission:
    index = SupportIndex(subgraph, findings)
    explanation = found.explanations[row].labels if found.explanations else {}
    probabilities = [float(value) for value in found.probabilities[row]]
    order = sorted(range(len(found.labels)), key=lambda place: (-probabilities[place], found.labels[place]))
    diseases = []
    for rank, place in enumerate(order, 1):
        label = found.labels[place]
        seen = explanation.get(label, LabelEvidence())
        diseases.append(
            DiseaseResult(
                phenotype=label,
                name=run.preprocessing.names[label],
                probability=probabilities[place],
                rank=rank,
                named=bool(found.named[row, place]),
                nodes=_nodes(seen, label, subgraph, index),
                patches=seen.patches,
                spans=seen.spans,
            )
        )
    text = found.texts[row] if found.texts else ""
    labels = {label: run.preprocessing.names[label] for label in found.labels}
    diagnosis = Diagnosis(
        admission_id=admission.admission_id,
        run=run_name(run),
        diseases=tuple(diseases),
        rationale=_rationale(diseases, text, labels, findings, subgraph, names),
        generated_text=text,
        labels=tuple(sorted(admission.labels)),
    )
    thresholds = dict(zip(found.labels, (float(value) for value in found.thresholds), strict=True))
    return DiagnosedAdmission(diagnosis, admission, tuple(findings), subgraph, thresholds)


def _nodes(seen: LabelEvidence, label: str, subgraph: PatientSubgraph, index: SupportIndex) -> tuple[NodeEvidence, ...]:
    """Give the patient's findings that a label rests on: attended ones by weight, then others that add to it.

    What the label attended to beside findings (candidates, terms between) stays in the prediction's explanation.
    """
    seeds = {seed.concept for seed in subgraph.seeds if seed.state != "denied"}
    ways = {support.finding.concept: support.statements for support in index.of(label)}
    cited = {node.concept: node.statements for node in seen.support}
    nodes = {
        node.concept: replace(node, statements=node.statements or cited.get(node.concept) or ways.get(node.concept, ()))
        for node in seen.nodes
        if node.concept in seeds
    }
    for node in seen.support:
        if node.weight > 0 and node.concept in seeds:
            nodes.setdefault(node.concept, replace(node, weight=0.0))
    return tuple(sorted(nodes.values(), key=lambda node: (-node.weight, node.concept)))


def _rationale(
    diseases: Sequence[DiseaseResult],
    text: str,
    labels: Mapping[str, str],
    findings: Sequence[Finding],
    subgraph: PatientSubgraph,
    names: Mapping[str, str],
) -> Rationale:
    """Put the student's sentences, each held against the graph, beside sentences written from the graph."""
    named = [disease for disease in diseases if disease.named] or list(diseases[:1])
    weights = {d.phenotype: {node.concept: node.weight for node in d.nodes} for d in diseases}
    case = Case(
        subgraph.admission_id,
        tuple(d.phenotype for d in named),
        findings,
        subgraph,
        names,
        weights=weights,
    )
    written = GraphTeacher().explain(case)
    sentences = [
        ToldSentence(s.part, s.text, s.findings, s.statements, s.disease, origin="graph") for s in written.sentences
    ]
    parsed = parse_output(text, labels) if text else ParsedRationale((), ())
    everything = replace(case, diseases=tuple(labels))
    index = SupportIndex(subgraph, findings)
    return Rationale(
        diseases=case.diseases,
        sentences=(*(_told(sentence, everything, index) for sentence in parsed.sentences), *sentences),
    )


def _told(sentence: RationaleSentence, case: Case, index: SupportIndex) -> ToldSentence:
    """Hold one sentence of the student against findings and subgraph."""
    plain = sentence.text.casefold()
    if any(plain.startswith(start) for start in _NO_FINDING):
        sound = sentence.disease is not None and not index.of(sentence.disease)
        return ToldSentence(sentence.part, sentence.text, (), (), sentence.disease, "generated", sound)
    grounded = ground(sentence, case, index)
    if grounded is None:
        return ToldSentence(sentence.part, sentence.text, (), (), sentence.disease, "generated", False)
    sound = not verify(Rationale(case.diseases, (grounded,)), case.findings, case.subgraph, case.names)
    return ToldSentence(
        grounded.part, grounded.text, grounded.findings, grounded.statements, grounded.disease, "generated", sound
    )


# --- evidence from a store ----------------------------------------------------------------------------------------


def evidence_parameters(findings: Sequence[Finding]) -> dict[str, list[str]]:
    """Give what the evidence queries ask of a patient: ``findings``, ``denied``, ``high`` and ``low``."""
    present = {f.concept for f in findings if f.present}
    high = {f.code for f in findings if f.present and f.code and f.direction == "high"}
    low = {f.code for f in findings if f.present and f.code and f.direction == "low"}
    denied = {f.concept for f in findings if f.negated} - {f.concept for f in findings if can_support(f)}
    return {"findings": sorted(present), "denied": sorted(denied), "high": sorted(high), "low": sorted(low)}


def fetch_evidence(store: GraphStore, told: DiagnosedAdmission) -> dict[str, Rows]:
    """Ask a store, in Cypher, why, what speaks against, what separates, what is unexplained, and who says so.

    Args:
        store: either store, holding the bundle.
        told: a diagnosis; only concept ids travel to the store.

    Returns:
        Rows by the query's name; those about one disease say which in the column ``disease``.

    Raises:
        InputError: where the store does not answer.
    """
    patient = evidence_parameters(told.findings)
    seen = {key: patient[key] for key in ("findings", "high", "low")}
    ranked = sorted(told.diagnosis.diseases, key=lambda disease: disease.rank)
    shown = [disease for disease in ranked if disease.named] or ranked[:1]
    rows: dict[str, Rows] = {"why_diagnosis": [], "against_diagnosis": []}
    for disease in shown:
        asked = {"disease": disease.phenotype}
        for name, given in (("why_diagnosis", {**asked, **seen}), ("against_diagnosis", {**asked, **patient})):
            found = run_evidence(store, name, given).records()
            rows[name] += [{"disease": disease.name, **one} for one in found]
    if len(ranked) > 1:
        pair = {"disease": ranked[0].phenotype, "runner_up": ranked[1].phenotype}
        rows["separates_from_runner_up"] = run_evidence(
            store, "separates_from_runner_up", {**pair, **patient}
        ).records()
    named = {"diseases": [disease.phenotype for disease in shown]}
    rows["unexplained_findings"] = run_evidence(store, "unexplained_findings", {**named, **seen}).records()
    cited = {s for sentence in told.diagnosis.rationale.sentences for s in sentence.statements}
    cited |= {s for disease in shown for node in disease.nodes for s in node.statements}
    cited |= {str(one["statement"]) for name in ("why_diagnosis", "against_diagnosis") for one in rows[name]}
    rows["relation_origin"] = run_evidence(store, "relation_origin", {"statements": sorted(cited - {""})}).records()
    return rows

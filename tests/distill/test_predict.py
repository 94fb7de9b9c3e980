import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.constrain import DiseaseListConstraint, NoLoops
from distill.predict import predict, tidy
from distill.rationale import parse_output
from distill.slm import train_tokenizer
from distill.stages import learning_rate_factor, set_mode
from distill.subgraph import empty_subgraph
from ehr.errors import InputError

NAMES = {
    "CCS:1": "Shock",
    "CCS:2": "Diabetes mellitus with complications",
    "CCS:3": "Diabetes mellitus",
    "CCS:4": "Sepsis, severe",
}


@pytest.fixture(scope="module")
def ids(tiny_world, tiny_run):
    return tiny_run.split_ids(tiny_world[1])["test"]


def test_every_stage_predicts_in_the_order_asked_for(tiny_world, tiny_run, ids):
    _, cohort = tiny_world
    for stage in (1, 2, 3):
        plain = predict(tiny_run, cohort, ids, stage=stage)
        assert plain.probabilities.shape == (len(ids), 25)
        assert ((plain.probabilities >= 0) & (plain.probabilities <= 1)).all()
        assert plain.named.dtype == bool
        turned = predict(tiny_run, cohort, ids[::-1], stage=stage)
        assert turned.ids == tuple(ids[::-1])
        assert np.allclose(turned.logits[::-1], plain.logits, atol=1e-4)


def test_an_admission_is_predicted_alike_alone_and_in_company(tiny_world, tiny_run, ids):
    _, cohort = tiny_world
    together = predict(tiny_run, cohort, ids).logits
    alone = np.concatenate([predict(tiny_run, cohort, [i]).logits for i in ids[:3]])
    assert np.allclose(together[:3], alone, atol=1e-4)


def test_another_subgraph_changes_stages_2_and_3_alone(tiny_world, tiny_run, ids):
    _, cohort = tiny_world
    empty = {i: empty_subgraph(i, "all", tiny_run.labels) for i in ids}
    for stage, changes in ((1, False), (2, True), (3, True)):
        plain = predict(tiny_run, cohort, ids, stage=stage).logits
        other = predict(tiny_run, cohort, ids, stage=stage, subgraphs=empty).logits
        assert np.array_equal(plain, other) != changes


def test_explanations_name_what_was_attended_to(tiny_world, tiny_run, ids):
    _, cohort = tiny_world
    for explanation in predict(tiny_run, cohort, ids[:4], explain=True).explanations:
        admission = cohort.admission(explanation.admission_id)
        texts = {note.section: note.text for note in admission.notes}
        codes = {series.code for series in admission.series}
        assert set(explanation.labels) == set(tiny_run.labels)
        supported = {label for label, found in explanation.labels.items() if found.support}
        assert admission.labels <= supported
        for label, found in explanation.labels.items():
            assert sum(node.weight for node in found.nodes) <= 1 + 1e-4
            assert all(label in tiny_run.labels and node.statements for node in found.support)
            assert {patch.code for patch in found.patches} <= codes
            assert all(0 <= p.start_hour < p.end_hour <= 120 for p in found.patches)
            for span in found.spans:
                if span.section in texts:
                    word = texts[span.section][span.start : span.end]
                    assert word
                    assert not any(c.isspace() for c in word)
        assert 0 <= explanation.nothing <= 1
        assert all(0 <= link.weight <= 1 for link in explanation.knowledge)


def test_generated_text_names_diseases_of_the_label_set_alone(tiny_world, tiny_run, ids):
    _, cohort = tiny_world
    first = predict(tiny_run, cohort, ids, generate=True)
    assert first.texts == predict(tiny_run, cohort, ids, generate=True).texts
    for text in first.texts:
        assert not parse_output(text, tiny_run.preprocessing.names).unknown
    assert len(predict(tiny_run, cohort, ids[:2], generate=True, beams=2).texts) == 2


def test_stage_and_admission_that_do_not_exist(tiny_world, tiny_run):
    _, cohort = tiny_world
    with pytest.raises(InputError, match="stage 4"):
        predict(tiny_run, cohort, cohort.ids()[:1], stage=4)
    with pytest.raises(InputError, match="not in the cohort"):
        predict(tiny_run, cohort, ["nobody"])
    assert predict(tiny_run, cohort, []).probabilities.shape == (0, 25)


def test_frozen_parts_stay_in_evaluation_mode(tiny_run):
    """Defect 9 of the published code: a frozen encoder whose dropout is on."""
    model = tiny_run.preprocessing.model(tiny_run.config)
    for stage, frozen in ((1, {"time", "graph", "knowledge"}), (2, {"slm"}), (3, {"time"})):
        set_mode(model, stage)
        for name, module in model.named_children():
            inside = list(module.modules())
            if name in frozen:
                assert not any(part.training for part in inside)
                assert not any(p.requires_grad for p in module.parameters())
        assert model.head.training
    set_mode(model, 3, train_slm=False)
    assert not any(part.training for part in model.slm.modules())


def test_the_rate_warms_up_and_falls_to_zero():
    rates = [learning_rate_factor(step, 100, 0.1) for step in range(100)]
    assert rates[9] == 1.0
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.01


def constraint(last: bool = True) -> tuple[DiseaseListConstraint, object]:
    tokenizer = train_tokenizer(["### Disease Diagnosed: shock; none. " + n for n in NAMES.values()] * 3, 60)
    return DiseaseListConstraint(tokenizer, NAMES, lower=True, last=last), tokenizer


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.booleans())
def test_any_walk_through_the_constraint_is_a_list_of_labels(seed, last):
    made, tokenizer = constraint(last)
    rng = np.random.default_rng(seed)
    written = [*tokenizer("melena.", add_special_tokens=False)["input_ids"], *made.heading]
    for _ in range(200):
        allowed = made.allowed(written)
        if not allowed or allowed == {tokenizer.eos_token_id}:
            break
        written.append(int(rng.choice(sorted(allowed))))
    else:
        pytest.fail("the list never ends")
    text = "".join(tokenizer.convert_ids_to_tokens(written)).replace("\u2581", " ")
    parsed = parse_output(text, NAMES)
    assert not parsed.unknown
    assert not parsed.repeated
    assert text.endswith(".")


def test_the_constraint_leaves_other_text_alone_and_rules_the_list():
    made, tokenizer = constraint()
    assert made.allowed([5, 6]) is None
    scores = made(torch.tensor([made.heading, (*made.heading[:-1], 5)]), torch.zeros(2, len(tokenizer)))
    assert torch.isinf(scores[0]).any()
    assert not torch.isinf(scores[1]).any()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(5, 8), max_size=4), st.lists(st.integers(5, 8), min_size=2, max_size=6))
def test_nothing_is_written_twice_at_once(before, block):
    made, tokenizer = constraint()
    guard = NoLoops(made)
    written = before + block + block[:-1]
    assert block[-1] in guard.forbidden(written)
    scores = guard(torch.tensor([written]), torch.zeros(1, len(tokenizer)))
    assert torch.isinf(scores[0]).nonzero().flatten().tolist() == sorted(guard.forbidden(written))
    assert guard.forbidden([*written, *made.heading]) == set()


def test_a_loop_is_left_and_what_comes_back_later_is_not_forbidden():
    guard = NoLoops(constraint()[0])
    assert guard.forbidden([5, 6, 7, 5, 6]) == {7}
    assert guard.forbidden([5, 6, 7, 9, 5, 6]) == set()
    assert guard.forbidden([5, 5]) == set()


def test_tidy_only_changes_case():
    text = "### rationale: melena fits shock. low hemoglobin too. ### lab: x. ### disease diagnosed: shock."
    done = tidy(text)
    assert done.lower() == text
    assert done.startswith("### Rationale: Melena")
    assert "### Disease Diagnosed: shock." in done

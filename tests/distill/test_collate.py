import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distill.collate import note_tokens, share_room
from distill.config import StageConfig
from distill.data import read_records, read_subgraphs, render_demographics
from distill.slm import IGNORED
from distill.stages import batch_of_step
from distill.subgraph import evidence_rows
from ehr.errors import InputError
from ehr.types import Admission


@pytest.fixture(scope="module")
def world(tiny_world, tiny_run):
    _, cohort = tiny_world
    ids = cohort.ids()[:6]
    records = read_records(cohort, ids, tiny_run.preprocessing.labels)
    return tiny_run.preprocessing.collator(tiny_run.config), records, read_subgraphs(cohort, ids, "all")


@given(st.lists(st.integers(0, 300), max_size=9), st.integers(0, 400))
def test_room_is_shared_whole_and_fairly(lengths, room):
    given_room = share_room(lengths, room)
    assert sum(given_room) == min(sum(lengths), room)
    assert all(0 <= g <= n for g, n in zip(given_room, lengths, strict=True))
    cut = [g for g, n in zip(given_room, lengths, strict=True) if g < n]
    whole = [g for g, n in zip(given_room, lengths, strict=True) if g == n]
    assert not cut or max(cut) - min(cut) <= 1
    assert not cut or not whole or max(whole) <= max(cut) + 1


def test_finding_words_are_hidden_while_the_graph_keeps_the_finding(world):
    collator, records, subgraphs = world
    record = records[0]
    note = collator.note(record)
    text = dict(record.sections)["history_of_present_illness"]
    for concept, tokens in note.hidden_by.items():
        spans = {(s.start, s.end) for s in record.spans if s.concept == concept}
        words = {text[a:b] for a, b in spans}
        hidden = {text[note.places[t][1] : note.places[t][2]] for t in tokens}
        assert all(any(part in word for word in words) for part in hidden)
    plain = collator.batch(records, subgraphs, 3)
    always = collator.batch(
        records, subgraphs, 3, settings=StageConfig(mask_findings=1.0), generator=np.random.default_rng(0)
    )
    assert plain.note_mask is not None
    assert always.note_mask is not None
    gone = plain.note_mask & ~always.note_mask
    assert gone[0].nonzero().flatten().tolist() == sorted({int(t) for v in note.hidden_by.values() for t in v})
    assert torch.equal(plain.graph.state, always.graph.state)
    assert torch.equal(plain.graph.path_index, always.graph.path_index)


def test_half_of_the_findings_are_hidden_on_average(world):
    collator, records, subgraphs = world
    rng, settings = np.random.default_rng(0), StageConfig(mask_findings=0.5)
    shares = []
    for _ in range(30):
        mask = collator.batch(records, subgraphs, 3, settings=settings, generator=rng).note_mask
        for row, record in enumerate(records):
            hidden = collator.note(record).hidden_by
            shares += [not mask[row, tokens[0]] for tokens in hidden.values()]
    assert 0.42 < np.mean(shares) < 0.58


def test_stages_see_what_they_are_to_see(world):
    collator, records, subgraphs = world
    first = collator.batch(records, None, 1)
    assert first.graph is None
    assert first.patches is None
    second = collator.batch(records, subgraphs, 2)
    assert second.note_ids is None
    assert second.graph is not None
    third = collator.batch(records, subgraphs, 3)
    assert third.note_ids is not None
    assert third.patches is not None


def test_padding_of_targets_is_ignored(world):
    collator, records, subgraphs = world
    targets = collator.batch(records, subgraphs, 3).targets
    lengths = [len(collator.target(record, 3)) for record in records]
    assert ((targets != IGNORED).sum(1)).tolist() == lengths
    assert len(set(lengths)) > 1
    ends = [
        targets[row, length - 1].item() for row, length in enumerate(lengths) if length < collator.config.target_tokens
    ]
    assert all(end == collator.tokenizer.eos_token_id for end in ends)


def test_a_patient_without_a_subgraph_gets_the_candidates_alone(world):
    collator, records, _ = world
    graph = collator.batch(records[:1], {}, 3).graph
    assert graph.num_nodes == 25
    assert graph.label.tolist() == list(range(25))
    assert graph.path_type.numel() == 0


def test_another_subgraph_of_the_same_patient_is_not_mixed_up(world):
    collator, records, subgraphs = world
    collator.batch(records[:1], subgraphs, 3)
    key = records[0].admission_id
    other = next(s for i, s in subgraphs.items() if len(s.nodes) != len(subgraphs[key].nodes))
    swapped = collator.batch(records[:1], {key: other}, 3).graph
    assert swapped.num_nodes == len(other.nodes)


def test_labels_and_unknown_admissions(world, tiny_world, tiny_run):
    _, cohort = tiny_world
    _, records, _ = world
    for record in records:
        expected = {tiny_run.preprocessing.labels[label] for label in cohort.admission(record.admission_id).labels}
        assert set(np.flatnonzero(record.labels).tolist()) == expected
    with pytest.raises(InputError, match="1 of the asked"):
        read_records(cohort, ["nobody"], tiny_run.preprocessing.labels)


def test_denied_findings_reach_the_counter_as_denied(world, tiny_run):
    collator, records, subgraphs = world
    labels = tiny_run.preprocessing.labels
    key = next(r.admission_id for r in records if any(s.state == "denied" for s in subgraphs[r.admission_id].seeds))
    rows = evidence_rows(subgraphs[key], labels)
    denied = {s.concept for s in subgraphs[key].seeds if s.state == "denied"}
    assert denied <= {row.seed for row in rows if row.kind.startswith("edge")}
    data = collator.encoding.encode(subgraphs[key])
    states = {
        row.seed: int(state) for row, state in zip(collator.encoding.rows(subgraphs[key]), data.path_state, strict=True)
    }
    assert all(states[concept] == 2 for concept in denied)


def test_demographics_say_only_what_is_known():
    bare = Admission("p", "a", None, None, None, None)
    assert render_demographics(bare) == ""
    full = Admission("p", "a", 67.4, "F", "URGENT", 5.0)
    assert render_demographics(full) == "age 60 to 69, female, urgent admission"


def test_note_longer_than_the_limit_keeps_every_section(world):
    collator, records, _ = world
    note = note_tokens(records[0], collator.tokenizer, 10)
    assert len(note.ids) == len(note.places) == 10
    assert {section for section, _, _ in note.places} >= {"demographics", "history_of_present_illness"}


@given(st.integers(1, 40), st.integers(1, 12))
def test_an_epoch_visits_everybody_once(total, size):
    steps = [batch_of_step(3, 1, step, size, total) for step in range(2 * total)]
    visited = [place for step in steps for place in step]
    if size <= total:
        for epoch in range(len(visited) // total):
            assert sorted(visited[epoch * total : (epoch + 1) * total]) == list(range(total))

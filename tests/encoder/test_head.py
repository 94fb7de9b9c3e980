import pytest
import torch

from encoder.head import DiseaseHead, HeadInputs, LabelAttention


def head() -> DiseaseHead:
    torch.manual_seed(0)
    return DiseaseHead(labels=3, slm_width=6, vocabulary=20, width=8).eval()


def graph(support: torch.Tensor) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return {
        "nodes": torch.randn(1, 4, 8),
        "node_mask": torch.ones(1, 4, dtype=torch.bool),
        "label_node": torch.tensor([[0, 1, -1]]),
        "support": support,
    }


def test_every_combination_of_modalities_gives_logits():
    note = {"note": torch.randn(1, 5, 6), "note_mask": torch.ones(1, 5, dtype=torch.bool)}
    labs = {"patches": torch.randn(1, 2, 8), "patch_mask": torch.ones(1, 2, dtype=torch.bool)}
    for parts in (note, labs, graph(torch.zeros(1, 4)), note | labs, note | labs | graph(torch.zeros(1, 4))):
        output = head()(HeadInputs(**parts))
        assert output.logits.shape == (1, 3)
        assert torch.isfinite(output.logits).all()
        assert (output.note_weights is None) == ("note" not in parts)
        assert (output.patch_weights is None) == ("patches" not in parts)
        assert (output.node_weights is None) == ("nodes" not in parts)


def test_without_any_modality_it_says_so():
    with pytest.raises(ValueError, match="modality"):
        head()(HeadInputs())


def test_support_raises_its_candidate_before_any_training():
    model = head()
    none = model(HeadInputs(**graph(torch.zeros(1, 4)))).logits[0]
    some = model(HeadInputs(**graph(torch.tensor([[2.0, 0.0, 0.0, 0.0]])))).logits[0]
    assert some[0] > none[0] + 0.5
    assert some[1] <= none[1]


def test_a_label_whose_node_is_missing_gets_no_support():
    model = head()
    logits = [model(HeadInputs(**graph(torch.full((1, 4), s)))).logits[0, 2].item() for s in (0.0, 0.0)]
    assert logits[0] == logits[1]


def test_weights_are_over_what_is_there():
    torch.manual_seed(0)
    attention = LabelAttention(3, 6, 8).eval()
    mask = torch.tensor([[True, True, False], [False, False, False]])
    states, logits, weights = attention(torch.randn(2, 3, 6), mask)
    assert torch.allclose(weights[0].sum(-1), torch.ones(3))
    assert not weights[0, :, 2].any()
    assert not weights[1].any()
    assert not states[1].any()
    assert not logits[1].any()


def test_two_equal_findings_can_count_more_than_one():
    torch.manual_seed(0)
    attention = LabelAttention(2, 6, 8).eval()
    with torch.no_grad():
        attention.add_up.weight.copy_(torch.randn(2, 6))
    item = torch.randn(1, 1, 6)
    one = attention(item, torch.ones(1, 1, dtype=torch.bool))[1]
    two = attention(item.repeat(1, 2, 1), torch.ones(1, 2, dtype=torch.bool))[1]
    assert not torch.allclose(one, two)


def test_prevalence_sets_the_starting_point():
    model = head()
    model.set_prevalence(torch.tensor([0.5, 0.1, 0.0]))
    assert model.bias.detach().sigmoid().tolist() == pytest.approx([0.5, 0.1, 0.001], abs=1e-6)

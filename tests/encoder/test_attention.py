import torch

from encoder.attention import KnowledgeAttention, SetAttention, SoftPrompt, VocabularySlots


def test_weights_and_the_nothing_slot_add_up_to_one():
    torch.manual_seed(0)
    attention = SetAttention(6, 5, 8, heads=2)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    result = attention(torch.randn(2, 4, 6), torch.randn(2, 3, 5), mask)
    assert result.output.shape == (2, 4, 8)
    assert torch.allclose(result.weights.sum(-1) + result.nothing, torch.ones(2, 4))
    assert not result.weights[0, :, 2].any()
    assert not result.weights[1, :, 1:].any()


def test_masked_items_do_not_matter_and_any_number_is_taken():
    torch.manual_seed(0)
    attention = SetAttention(6, 5, 8, heads=2)
    queries, items = torch.randn(1, 2, 6), torch.randn(1, 2, 5)
    plain = attention(queries, items, torch.ones(1, 2, dtype=torch.bool))
    more = torch.cat((items, torch.randn(1, 3, 5)), 1)
    padded = attention(queries, more, torch.tensor([[True, True, False, False, False]]))
    assert torch.allclose(plain.output, padded.output, atol=1e-6)


def test_without_any_item_all_weight_is_on_nothing():
    result = SetAttention(6, 5, 8)(torch.randn(1, 2, 6), torch.randn(1, 3, 5), torch.zeros(1, 3, dtype=torch.bool))
    assert torch.allclose(result.nothing, torch.ones(1, 2))
    assert torch.isfinite(result.output).all()


def test_nothing_can_win_over_an_irrelevant_item():
    attention = SetAttention(4, 4, 4, heads=1)
    with torch.no_grad():
        attention.nothing_key.fill_(10.0)
        attention.query.weight.zero_()
        attention.query.bias.fill_(1.0)
    result = attention(torch.randn(1, 1, 4), torch.zeros(1, 2, 4), torch.ones(1, 2, dtype=torch.bool))
    assert result.nothing.item() > 0.99


def test_knowledge_changes_what_a_patch_says():
    torch.manual_seed(0)
    layer = KnowledgeAttention(6, 8, heads=2)
    queries, mask = torch.randn(1, 2, 6), torch.ones(1, 3, dtype=torch.bool)
    one, other = (layer(queries, torch.randn(1, 3, 8), mask).output for _ in range(2))
    assert one.shape == (1, 2, 8)
    assert not torch.allclose(one, other)


def test_vocabulary_slots_are_the_same_number_for_any_width():
    assert VocabularySlots(40, 24)(torch.randn(40, 7)).shape == (24, 7)


def test_the_soft_prompt_has_a_fixed_length_and_the_size_of_tokens():
    torch.manual_seed(0)
    prompt = SoftPrompt(8, 12, tokens=5, scale=0.02)
    for items in (1, 9):
        vectors = prompt(torch.randn(2, items, 8), torch.ones(2, items, dtype=torch.bool))
        assert vectors.shape == (2, 5, 12)
        assert vectors.abs().max() < 0.2

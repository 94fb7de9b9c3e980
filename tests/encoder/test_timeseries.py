import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from encoder.timeseries import TimeSeriesEncoder, cut_patches


def encoder(dropout: float = 0.0) -> TimeSeriesEncoder:
    torch.manual_seed(0)
    return TimeSeriesEncoder(
        variables=3, patches=4, patch_length=2, width=16, layers=2, heads=2, dropout=dropout
    ).eval()


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 6))
def test_patches_are_cut_along_time_and_each_variable_by_itself(variables, count, length):
    hours = count * length
    value = torch.arange(variables).unsqueeze(1) * 1000.0 + torch.arange(hours)
    seen = torch.ones(variables, hours, dtype=torch.bool)
    patches = cut_patches(value, seen, torch.zeros(variables, hours), length)
    assert patches.shape == (variables, count, 3 * length)
    for variable in range(variables):
        for patch in range(count):
            expected = variable * 1000.0 + torch.arange(patch * length, (patch + 1) * length)
            assert torch.equal(patches[variable, patch, :length], expected)


def test_what_was_not_observed_leaves_no_value():
    value = torch.full((1, 4), 7.0)
    seen = torch.tensor([[True, False, False, True]])
    since = torch.tensor([[0.0, 0.1, 0.2, 0.0]])
    patches = cut_patches(value, seen, since, 2)
    assert patches[0, 0].tolist() == pytest.approx([7, 0, 1, 0, 0, 0.1])
    other = cut_patches(torch.where(seen, value, torch.tensor(float("nan"))).nan_to_num(99.0), seen, since, 2)
    assert torch.equal(patches, other)


def test_a_patch_length_that_does_not_divide_the_hours_is_refused():
    grid = torch.zeros(1, 5)
    with pytest.raises(ValueError, match="divide"):
        cut_patches(grid, grid > 0, grid, 2)


def test_the_observed_flag_reaches_the_value():
    """A mask as a channel of its own would change nothing here (defect 3 of the published code)."""
    model = encoder()
    value, since = torch.zeros(1, 2), torch.zeros(1, 2)
    both = torch.stack([cut_patches(value, torch.tensor([[a, True]]), since, 2)[0] for a in (True, False)])
    place = torch.zeros(2, 1, dtype=torch.long)
    states = model(both, place, place, torch.ones(2, 1, dtype=torch.bool))
    assert (states[0] - states[1]).abs().max() > 1e-3


def test_hours_since_last_reach_the_state():
    model = encoder()
    value, seen = torch.zeros(2, 1, 2), torch.tensor([[[True, False]]] * 2)
    since = torch.tensor([[[0.0, 0.1]], [[0.0, 0.9]]])
    patches = cut_patches(value, seen, since, 2)[:, 0]
    place = torch.zeros(2, 1, dtype=torch.long)
    states = model(patches, place, place, torch.ones(2, 1, dtype=torch.bool))
    assert (states[0] - states[1]).abs().max() > 1e-3


def test_padding_changes_nothing_and_gets_zeros():
    model = encoder()
    patches, variable, position = torch.randn(1, 3, 6), torch.tensor([[0, 1, 2]]), torch.tensor([[0, 1, 3]])
    plain = model(patches, variable, position, torch.ones(1, 3, dtype=torch.bool))
    mask = torch.tensor([[True, True, True, False, False]])
    padded = model(
        torch.cat((patches, torch.randn(1, 2, 6)), 1),
        torch.cat((variable, torch.zeros(1, 2, dtype=torch.long)), 1),
        torch.cat((position, torch.zeros(1, 2, dtype=torch.long)), 1),
        mask,
    )
    assert torch.allclose(plain, padded[:, :3], atol=1e-5)
    assert not padded[:, 3:].any()


def test_every_patch_matters_not_the_last_alone():
    model = encoder()
    patches, place = torch.randn(1, 3, 6, requires_grad=True), torch.tensor([[0, 1, 2]])
    model(patches, place, place, torch.ones(1, 3, dtype=torch.bool))[0, -1, 0].backward()
    assert (patches.grad.abs().sum(-1) > 0).all()


def test_a_patient_without_any_measurement_gives_finite_zeros():
    states = encoder()(
        torch.zeros(1, 1, 6),
        torch.zeros(1, 1, dtype=torch.long),
        torch.zeros(1, 1, dtype=torch.long),
        torch.zeros(1, 1) > 0,
    )
    assert torch.isfinite(states).all()
    assert not states.any()


def test_dropout_is_off_in_evaluation_mode_only():
    model = encoder(dropout=0.5)
    patches, place, mask = torch.randn(1, 3, 6), torch.tensor([[0, 1, 2]]), torch.ones(1, 3, dtype=torch.bool)
    assert torch.equal(model(patches, place, place, mask), model(patches, place, place, mask))
    model.train()
    assert not torch.equal(model(patches, place, place, mask), model(patches, place, place, mask))

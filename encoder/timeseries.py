"""Encoder of irregular labs and vitals: one token for each variable and patch of time.

The idea is PatchTST's (Nie et al., ICLR 2023, section 3.1), with two changes. What was measured, whether it was
measured and how long ago it was last measured lie in one patch vector and are projected together, since a mask given as
a channel of its own never meets the value in a channel-independent model. And only patches that hold a measurement
become tokens: what is missing stays missing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CHANNELS = 3
"""Numbers for each hour of a patch: value, observed, hours since last."""


def cut_patches(value: Tensor, observed: Tensor, since: Tensor, patch_length: int) -> Tensor:
    """Cut hourly grids into patches along time, each variable by itself.

    Args:
        value: normalised values, shape ``(..., variables, hours)``; whatever stands where nothing was observed is
            ignored (it becomes 0).
        observed: True where something was measured, same shape.
        since: hours since the variable was last measured, scaled, same shape.
        patch_length: hours in a patch; must divide ``hours``.

    Returns:
        Patch vectors, shape ``(..., variables, hours // patch_length, 3 * patch_length)``: first the values, then the
        observed flags, then the hours since last.

    Raises:
        ValueError: where ``patch_length`` does not divide the hours.
    """
    hours = value.shape[-1]
    if hours % patch_length:
        raise ValueError(f"{patch_length} hours a patch do not divide {hours} hours")
    flag = observed.to(value.dtype)
    channels = torch.stack((value * flag, flag, since), dim=-2)
    shape = (*value.shape[:-1], CHANNELS, hours // patch_length, patch_length)
    return channels.reshape(shape).transpose(-3, -2).flatten(-2)


class TransformerBlock(nn.Module):
    """Pre-norm self-attention and feed-forward block.

    Shapes:
        input ``(batch, tokens, width)``, mask ``(batch, tokens)`` True where a token is; output as the input.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm_attention = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.norm_feed = nn.LayerNorm(width)
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Let the tokens that are there attend to each other."""
        batch, tokens, width = x.shape
        packed = self.query_key_value(self.norm_attention(x)).view(batch, tokens, 3, self.heads, -1)
        query, key, value = packed.permute(2, 0, 3, 1, 4)
        rate = self.dropout if self.training else 0.0
        bias = torch.zeros(mask.shape, dtype=x.dtype, device=x.device).masked_fill(~mask, -1e9)[:, None, None, :]
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias, dropout_p=rate)
        x = x + F.dropout(self.output(mixed.transpose(1, 2).reshape(batch, tokens, width)), rate, self.training)
        return x + F.dropout(self.feed(self.norm_feed(x)), rate, self.training)


class TimeSeriesEncoder(nn.Module):
    """Embeds observed patches and lets them attend to each other.

    A patch vector is projected through a small network; a learned scale and shift for each variable make the same
    network read a high lactate and a high sodium differently; the position says when.

    Shapes:
        patches ``(batch, tokens, 3 * patch_length)``, variable and position ``(batch, tokens)``, mask ``(batch,
        tokens)``; output ``(batch, tokens, width)``, zero where the mask is False.
    """

    def __init__(
        self,
        *,
        variables: int,
        patches: int,
        patch_length: int,
        width: int = 64,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Linear(CHANNELS * patch_length, width), nn.GELU(), nn.Linear(width, width))
        self.scale = nn.Embedding(variables, width)
        self.shift = nn.Embedding(variables, width)
        self.position = nn.Embedding(patches, width)
        self.layers = nn.ModuleList(TransformerBlock(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        nn.init.normal_(self.scale.weight, std=0.5)
        nn.init.normal_(self.shift.weight, std=0.5)
        nn.init.normal_(self.position.weight, std=0.1)

    def forward(self, patches: Tensor, variable: Tensor, position: Tensor, mask: Tensor) -> Tensor:
        """Give one state for each observed patch."""
        x = self.project(patches) * (1.0 + self.scale(variable)) + self.shift(variable) + self.position(position)
        for layer in self.layers:
            x = layer(x, mask)
        states: Tensor = self.norm(x) * mask.unsqueeze(-1).to(x.dtype)
        return states

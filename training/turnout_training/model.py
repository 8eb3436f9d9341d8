"""The network that serves: embeddings of tokens and of pairs of them, narrow transformer layers, attention
pooling, two heads."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from turnout_training.batching import PADDING

WIDTH = 128
LAYERS = 2
HEADS = 4
INNER = 256
POOLS = 4
HIDDEN = 192
POSITIONS = 128
PAIRS = 32_768
"""Rows of the table of neighbouring tokens' embeddings, which all pairs share."""
PAIR_FACTOR = 7_919


class Layer(nn.Module):
    """One transformer layer, normalised before each part."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.before_attention = nn.LayerNorm(WIDTH)
        self.attention = nn.Linear(WIDTH, 3 * WIDTH)
        self.attended = nn.Linear(WIDTH, WIDTH)
        self.before_inner = nn.LayerNorm(WIDTH)
        self.inner = nn.Linear(WIDTH, INNER)
        self.outer = nn.Linear(INNER, WIDTH)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        rows, length, _ = tokens.shape
        parts = self.attention(self.before_attention(tokens)).view(rows, length, 3, HEADS, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        seen = seen.transpose(1, 2).reshape(rows, length, WIDTH)
        tokens = tokens + self.dropout(self.attended(seen))
        inner = functional.relu(self.inner(self.before_inner(tokens)))
        grown: Tensor = tokens + self.dropout(self.outer(inner))
        return grown


class Network(nn.Module):
    """Maps token ids, shape (n, length), to category logits (n, labels) and difficulty logits (n, 1)."""

    def __init__(self, tokens: Tensor, labels: int, dropout: float = 0.0) -> None:
        """`tokens` (vocabulary, WIDTH) are the embeddings to start from."""
        super().__init__()
        self.tokens = nn.Embedding.from_pretrained(tokens, freeze=False, padding_idx=PADDING)
        self.pairs = nn.Embedding.from_pretrained(torch.zeros(PAIRS, WIDTH), freeze=False)
        self.positions = nn.Parameter(torch.randn(POSITIONS, WIDTH) * 0.02)
        self.normalise_input = nn.LayerNorm(WIDTH)
        self.layers = nn.ModuleList(Layer(dropout) for _ in range(LAYERS))
        self.normalise_output = nn.LayerNorm(WIDTH)
        self.pools = nn.Linear(WIDTH, POOLS)
        self.hidden = nn.Linear(WIDTH * (POOLS + 1), HIDDEN)
        self.category = nn.Linear(HIDDEN, labels)
        # Length tells much of difficulty, and pooling forgets it.
        self.difficulty = nn.Linear(HIDDEN + 1, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        absent = (ids == PADDING)[..., None]
        before = functional.pad(ids[:, :-1], (1, 0), value=PADDING).long()
        pairs = self.pairs((before * PAIR_FACTOR + ids) % PAIRS)
        tokens = self.normalise_input(self.tokens(ids) + pairs + self.positions[: ids.shape[1]])
        tokens = self.dropout(tokens)
        for layer in self.layers:
            tokens = layer(tokens, ~absent[:, None, None, :, 0])
        tokens = self.normalise_output(tokens)
        weights = self.pools(tokens).masked_fill(absent, -1e4).softmax(1)
        pooled = (weights.transpose(1, 2) @ tokens).flatten(1)
        largest = tokens.masked_fill(absent, -1e4).max(1).values
        hidden = functional.relu(self.hidden(self.dropout(torch.cat([pooled, largest], 1))))
        length = (~absent).float().sum(1).log()
        return self.category(hidden), self.difficulty(torch.cat([hidden, length], 1))


def narrowed(table: Tensor, width: int) -> Tensor:
    """Return embeddings (vocabulary, any) in `width` dimensions: those in which they differ most."""
    table = table - table.mean(0)
    _, _, directions = torch.linalg.svd(table[: table.shape[0] // 2], full_matrices=False)
    narrow: Tensor = table @ directions[:width].T
    narrow = narrow / narrow.std()
    narrow[PADDING] = 0
    return narrow

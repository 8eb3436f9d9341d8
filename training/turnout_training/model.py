"""The network: token and bigram embeddings, attention-like pooling, a small MLP, two heads."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH = 64
POOLS = 4
HIDDEN = 128
BIGRAMS = 40_009
BIGRAM_FACTOR = 7_919


class Network(nn.Module):
    """Maps token ids, shape (n, length), 0 for padding, to category and difficulty logits."""

    def __init__(self, vocabulary: int, categories: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, WIDTH, padding_idx=0)
        self.bigrams = nn.Embedding(BIGRAMS, WIDTH)
        self.attention = nn.Embedding(vocabulary, POOLS)
        nn.init.normal_(self.tokens.weight, std=0.05)
        nn.init.normal_(self.bigrams.weight, std=0.05)
        nn.init.zeros_(self.attention.weight)
        with torch.no_grad():
            self.tokens.weight[0] = 0
        self.hidden = nn.Linear(WIDTH * (POOLS + 2), HIDDEN)
        self.category = nn.Linear(HIDDEN, categories)
        self.difficulty = nn.Linear(HIDDEN, 1)
        self.dropout = nn.Dropout(0.3)

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        present = (ids > 0).float()
        tokens = self.dropout(self.tokens(ids) * present[..., None])
        weights = (self.attention(ids) + (present[..., None] - 1) * 1e4).softmax(1)
        pooled = torch.einsum("nlp,nlw->npw", weights, tokens).flatten(1)
        pairs = torch.remainder(ids[:, :-1] * BIGRAM_FACTOR + ids[:, 1:], BIGRAMS)
        bigrams = (self.bigrams(pairs) * present[:, 1:, None]).sum(1)
        length = present.sum(1, keepdim=True).clamp(min=1)
        features = torch.cat([pooled, tokens.sum(1) / length, bigrams / length.sqrt()], 1)
        hidden = self.dropout(functional.relu(self.hidden(self.dropout(features))))
        return self.category(hidden), self.difficulty(hidden)

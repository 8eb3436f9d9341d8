"""multilingual-e5-small, or its lower layers, as a PyTorch network with the classifier's two heads."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from turnout_training.batching import PADDING
from turnout_training.pretrained import Shape, Weights

DROPOUT: Final = 0.1


class _Layer(nn.Module):
    """One layer of BERT: attention, then a feed-forward part, each normalised after it is added."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self._heads = shape.heads
        width, inner, epsilon = shape.width, shape.inner, shape.epsilon
        self.q, self.k, self.v = (nn.Linear(width, width) for _ in range(3))
        self.ao, self.aln = nn.Linear(width, width), nn.LayerNorm(width, epsilon)
        self.fi, self.fo = nn.Linear(width, inner), nn.Linear(inner, width)
        self.oln = nn.LayerNorm(width, epsilon)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        rows, length, width = tokens.shape

        def split(part: Tensor) -> Tensor:
            return part.view(rows, length, self._heads, -1).transpose(1, 2)

        attended = functional.scaled_dot_product_attention(
            split(self.q(tokens)), split(self.k(tokens)), split(self.v(tokens)), attn_mask=mask
        )
        attended = attended.transpose(1, 2).reshape(rows, length, width)
        tokens = self.aln(tokens + self.dropout(self.ao(attended)))
        inner = self.fo(functional.gelu(self.fi(tokens)))
        normalised: Tensor = self.oln(tokens + self.dropout(inner))
        return normalised


class Encoder(nn.Module):
    """Maps ids, shape (n, length), to category logits (n, labels) and difficulty logits (n, 1)."""

    words: Tensor

    def __init__(self, labels: int, layers: int) -> None:
        """`layers` are kept of the twelve, the lower ones."""
        super().__init__()
        weights = Weights()
        width = weights.shape.width
        words = weights.tensor("emb.word", packed=True).reshape(-1, width)
        # Not trained, and not kept with what is.
        self.register_buffer("words", torch.from_numpy(words), persistent=False)
        kind = weights.tensor("emb.type")[:width]
        positions = weights.tensor("emb.pos").reshape(-1, width) + kind
        self.positions = nn.Parameter(torch.from_numpy(positions))
        self.normalise = nn.LayerNorm(width, weights.shape.epsilon)
        self.layers = nn.ModuleList(_Layer(weights.shape) for _ in range(layers))
        self.dropout = nn.Dropout(DROPOUT)
        self.category = nn.Linear(2 * width, labels)
        # Length tells much of difficulty, and pooling forgets it.
        self.difficulty = nn.Linear(2 * width + 1, 1)
        self._load(weights)

    def _load(self, weights: Weights) -> None:
        _fill(self.normalise, weights, "emb.ln")
        for i, layer in enumerate(self.layers):
            for name in ("q", "k", "v", "ao", "fi", "fo"):
                _fill(getattr(layer, name), weights, f"l{i}.{name}", packed=True)
            for name in ("aln", "oln"):
                _fill(getattr(layer, name), weights, f"l{i}.{name}")

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        features = self.dropout(self.features(ids))
        length = (ids != PADDING).sum(1, keepdim=True).float().log()
        return self.category(features), self.difficulty(torch.cat([features, length], 1))

    def features(self, ids: Tensor) -> Tensor:
        """Return what the heads read, shape (n, 2 * width): the tokens' mean and their largest."""
        present = ids != PADDING
        tokens = self.normalise(
            functional.embedding(ids, self.words) + self.positions[: ids.shape[1]]
        )
        tokens = self.dropout(tokens)
        for layer in self.layers:
            tokens = layer(tokens, present[:, None, None, :])
        counted = present[..., None].float()
        mean = (tokens * counted).sum(1) / counted.sum(1)
        largest = tokens.masked_fill(~present[..., None], -1e4).max(1).values
        return torch.cat([mean, largest], 1)


def _fill(
    part: nn.Linear | nn.LayerNorm, weights: Weights, name: str, *, packed: bool = False
) -> None:
    weight = torch.from_numpy(weights.tensor(f"{name}.w", packed=packed))
    part.weight.data = weight.view(part.weight.shape)
    part.bias.data = torch.from_numpy(weights.tensor(f"{name}.b"))

"""The tokenizer: multilingual-e5's, cut down to the pieces that prompts are made of."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from tokenizers import Tokenizer

from turnout_training.pretrained import read_tokenizer

VOCABULARY = 20_000
SPECIAL = 4
"""`<s>`, `<pad>`, `</s>` and `<unk>` come first, and keep their ids."""
MOST_CHARACTERS = 3_000


def full_tokenizer() -> Tokenizer:
    """Return multilingual-e5's own tokenizer of 250,002 pieces."""
    return Tokenizer.from_str(json.dumps(read_tokenizer()))


def cut_down(texts: Iterable[str]) -> tuple[Tokenizer, list[int]]:
    """Return a tokenizer of the 20,000 likeliest pieces, and each one's id in the full one.

    Those seen in `texts` come first, then the commonest of the rest, so that languages that the texts
    lack are not lost; a piece that is left out is read as smaller ones.
    """
    document = read_tokenizer()
    full = Tokenizer.from_str(json.dumps(document))
    seen: Counter[int] = Counter()
    clean = [text[:MOST_CHARACTERS].encode("utf-8", "replace").decode() for text in texts]
    for encoding in full.encode_batch(clean, add_special_tokens=False):
        seen.update(encoding.ids)
    kept = [*range(SPECIAL), *(i for i, _ in seen.most_common(VOCABULARY) if i >= SPECIAL)]
    kept = kept[:VOCABULARY]
    pieces = document["model"]["vocab"]
    # The full vocabulary is ordered by frequency.
    others = (i for i in range(SPECIAL, len(pieces)) if i not in seen)
    kept += [i for i, _ in zip(others, range(VOCABULARY - len(kept)), strict=False)]
    return Tokenizer.from_str(json.dumps(_with_pieces(document, kept))), kept


def _with_pieces(document: dict[str, Any], kept: list[int]) -> dict[str, Any]:
    pieces = document["model"]["vocab"]
    return {
        **document,
        "model": {**document["model"], "vocab": [pieces[i] for i in kept], "unk_id": SPECIAL - 1},
        "added_tokens": [token for token in document["added_tokens"] if token["id"] < SPECIAL],
        "post_processor": None,
        "truncation": None,
        "padding": None,
    }

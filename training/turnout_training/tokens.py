"""The tokenizer: lower-cased byte-level BPE learned on the training texts, so that no script is lost."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

VOCABULARY = 24_000
MOST_TOKENS = 256
MOST_CHARACTERS = 4_000


def train_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """Return a tokenizer of 24,000 tokens; 0 is padding."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def encode(tokenizer: Tokenizer, text: str) -> list[int]:
    """Return the ids of a text's head and tail, at least two and at most 256."""
    if len(text) > MOST_CHARACTERS:
        text = f"{text[: MOST_CHARACTERS // 2]}\n{text[-MOST_CHARACTERS // 2 :]}"
    ids: list[int] = tokenizer.encode(text.encode("utf-8", "replace").decode()).ids
    if len(ids) > MOST_TOKENS:
        ids = ids[: MOST_TOKENS // 2] + ids[-MOST_TOKENS // 2 :]
    return ids + [0] * (2 - len(ids))

"""`python -m turnout_training DATA... --out DIR` makes a model layer."""

import argparse
from pathlib import Path

from turnout_training.training import train

parser = argparse.ArgumentParser(prog="turnout_training", description=__doc__)
parser.add_argument(
    "data", nargs="+", type=Path, help="JSONL files (.gz or not) or folders of them"
)
parser.add_argument("--out", type=Path, required=True, help="folder for model.onnx, tokenizer.json")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--epochs", type=int, default=6)
options = parser.parse_args()
for name, scores in train(
    options.data, options.out, seed=options.seed, epochs=options.epochs
).items():
    print(f"{name}: {scores}")

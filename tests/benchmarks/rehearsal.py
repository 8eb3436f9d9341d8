"""How long a rehearsal of 100,000 recorded decisions takes, from the log file to the tables.

    .venv/bin/python tests/benchmarks/rehearsal.py [DECISIONS]

Makes a log of decisions by the default policy, rehearses the frugal one on it, and tells the CPU seconds
of reading the log, and of all.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from pathlib import Path

from turnout.attempt import Attempt
from turnout.cost import Usage
from turnout.decision import decide
from turnout.policy import ActivePolicy, PolicyRef
from turnout.policy_file import read_policy
from turnout.record import ClassifierRef, DecisionRecord, new_decision_id, to_wire
from turnout.recorded import Unread, read_lines
from turnout.rehearsal import rehearse
from turnout.signals import Signals

POLICIES = Path(__file__).parents[2] / "infra" / "policies"
CATEGORIES = (
    "coding", "math", "reasoning", "creative_writing", "copywriting", "business_writing", "editing",
    "summarization", "translation", "extraction", "question_answering", "education", "planning",
    "conversation",
)  # fmt: skip


def write_log(path: Path, count: int) -> None:
    active = ActivePolicy(PolicyRef("default", "1"), read_policy(POLICIES / "default.yaml"))
    draw = random.Random(1)
    with path.open("w", encoding="utf-8") as log:
        for _ in range(count):
            log.write(json.dumps({"message": "decision", "decision": record(active, draw)}) + "\n")


def record(active: ActivePolicy, draw: random.Random) -> object:
    weights = [draw.random() ** 6 for _ in CATEGORIES]
    likely = {name: w / sum(weights) for name, w in zip(CATEGORIES, weights, strict=True)}
    category = max(likely, key=lambda name: likely[name])
    signals = Signals(
        category, likely[category], likely, draw.random(), draw.randrange(5, 3000), "en",
        upstreams=("openai", "anthropic"), tenant="bench", at=1_795_000_000.0,
    )  # fmt: skip
    decision = decide(active, signals, draw.getrandbits(53))
    assert decision.chosen
    return to_wire(
        DecisionRecord(
            new_decision_id(), 1.0, decision.policy, ClassifierRef("bench"), signals,
            decision.candidates, decision.chosen, decision.seed, "ok",
            attempts=(Attempt(decision.chosen.model, 200, None, 1.0),),
            usage=Usage(signals.input_tokens, 300), cost_usd=0.001,
        )
    )  # fmt: skip


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    new = ActivePolicy(PolicyRef("default", "new"), read_policy(POLICIES / "frugal.yaml"))
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.jsonl"
        write_log(log, count)
        with log.open("rb") as lines:
            started = time.process_time()
            read = sum(1 for _ in read_lines(lines, Unread()))
            reading = time.process_time() - started
        with log.open("rb") as lines:
            started = time.process_time()
            out = rehearse(read_lines(lines, Unread()), new)
            whole = time.process_time() - started
        size = log.stat().st_size / 1e6
    print(f"{read:,} decisions, {size:.0f} MB: {reading:.1f} s to read, {whole:.1f} s in all")
    print(f"{whole / read * 1e6:.0f} us a decision; {out.total.moved:,} moved")


if __name__ == "__main__":
    main()

// What the page knows: the conversation, and the key of this tab.

const KEY = "turnout.key";

/** The API key, kept in this tab's sessionStorage alone. */
export const apiKey = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => sessionStorage.setItem(KEY, value),
  forget: () => sessionStorage.removeItem(KEY),
};

/** One reply to one prompt by one target: what was asked for, and what came of it. */
export class Run {
  text = "";
  decision = null;
  decisionId = null;
  /** What went wrong: `{message, status}`. */
  fault = null;
  /** What else is to be said of how it ended. */
  note = null;
  /** waiting, streaming, complete, incomplete, stopped or failed */
  status = "waiting";

  constructor(target) {
    this.target = target;
  }

  /** Whether the reply, or what there is of it, belongs to the conversation that follows. */
  get counts() {
    return this.text !== "";
  }
}

/** The turns so far: each a prompt with one run, or with two side by side. */
export class Conversation {
  turns = [];
  system = "";

  add(prompt, targets) {
    const turn = { prompt, runs: targets.map((target) => new Run(target)) };
    this.turns.push(turn);
    return turn;
  }

  clear() {
    this.turns = [];
  }

  /** Return the messages that lead to `turn` in one lane: each side of a comparison keeps its own replies. */
  messages(turn, lane) {
    const messages = this.system.trim() ? [{ role: "system", content: this.system }] : [];
    for (const earlier of this.turns.slice(0, this.turns.indexOf(turn))) {
      const run = earlier.runs[lane] ?? earlier.runs[0];
      if (!run.counts) continue;
      messages.push({ role: "user", content: earlier.prompt });
      messages.push({ role: "assistant", content: run.text });
    }
    messages.push({ role: "user", content: turn.prompt });
    return messages;
  }
}

// Server-sent events out of a response's body, however its bytes were cut.

/** Yield `{name, data}` for every event that has data. Throws what reading the body throws. */
export async function* serverSentEvents(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parser = new EventParser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      yield* parser.feed(decoder.decode(value, { stream: true }));
    }
    yield* parser.feed(`${decoder.decode()}\n\n`);
  } finally {
    reader.cancel().catch(() => {});
  }
}

class EventParser {
  #rest = "";
  #name = "message";
  #data = [];

  *feed(text) {
    // A carriage return at the very end may be the first half of a line's end: it waits.
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    for (const line of lines) {
      if (line) this.#read(line);
      else {
        if (this.#data.length) yield { name: this.#name, data: this.#data.join("\n") };
        this.#name = "message";
        this.#data = [];
      }
    }
  }

  #read(line) {
    const [, field, value] = /^([^:]*)(?:: ?)?(.*)$/.exec(line);
    if (field === "data") this.#data.push(value);
    if (field === "event") this.#name = value;
  }
}

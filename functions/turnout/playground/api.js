// The calls to Turnout, and its errors in words.

import { serverSentEvents } from "./sse.js";

// Relative to this file, so that the page also works below a path, as API Gateway's stages are.
const V1 = new URL("../v1/", import.meta.url);
const TOO_LARGE = 413;
const HEALTH = new URL("../health", import.meta.url);

/** Something went wrong that can be said in words. `status` is null where no answer came. */
export class ApiError extends Error {
  constructor(message, { status = null, decisionId = null } = {}) {
    super(message);
    this.status = status;
    this.decisionId = decisionId;
  }
}

export class Api {
  /** `key()` returns the API key to send, or null. */
  constructor(key) {
    this.key = key;
  }

  health = () => this.#json(HEALTH);

  /** Return the ids of what can be asked for a chat: a model that embeds does nothing else. */
  async models() {
    const { data } = await this.#json("models");
    return data.filter((model) => !model.can?.includes("embeddings")).map((model) => model.id);
  }

  /** Return `{data: records, next}`, newest first. `next` is where the following page begins, or null. */
  decisions = (query) => this.#json(`decisions?${new URLSearchParams(query)}`);

  report = (since) => this.#json(`report?${new URLSearchParams({ since })}`);

  decision = (id) => this.#json(`decisions/${encodeURIComponent(id)}`);

  explanation = (id) => this.#json(`decisions/${encodeURIComponent(id)}/explain`);

  /** Return the session that a decision belongs to. */
  session = (id) => this.#json(`sessions/${encodeURIComponent(id)}`);

  /** Send a judgement: `{score, comment, labels}`, the latter two as they are there. */
  rate = async (decisionId, judgement) => {
    await this.#call("feedback", { body: { decision_id: decisionId, ...judgement } });
  };

  /** Return what was said of a decision's reply, or null. */
  feedback = async (id) => (await this.#json(`decisions/${encodeURIComponent(id)}/feedback`)).feedback;

  /**
   * Send a chat and yield, in the order in which they come: `{begun: decisionId}`, `{decision}`,
   * `{text}`, `{finish}`, `{fault}`. Throws ApiError when there is no reply, or the connection is lost.
   */
  async *chat(model, messages, signal) {
    const response = await this.#call("chat/completions", {
      body: { model, messages, stream: true, stream_options: { include_usage: true } },
      headers: { "x-turnout-decision": "inline" },
      signal,
    });
    yield { begun: response.headers.get("x-turnout-decision-id") };
    try {
      for await (const event of serverSentEvents(response.body)) yield* meaning(event);
    } catch (error) {
      if (signal.aborted || !(error instanceof TypeError)) throw error;
      throw new ApiError("The connection was lost.");
    }
  }

  async #json(path) {
    return (await this.#call(path)).json();
  }

  async #call(path, { body, headers = {}, signal } = {}) {
    const key = this.key();
    const request = {
      method: body ? "POST" : "GET",
      headers: {
        ...headers,
        ...(body && { "content-type": "application/json" }),
        ...(key && { authorization: `Bearer ${key}` }),
      },
      body: body && JSON.stringify(body),
      signal,
    };
    let response;
    try {
      response = await fetch(new URL(path, V1), request);
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ApiError("Turnout cannot be reached. Is it running, and are you online?");
    }
    if (!response.ok) throw await refusal(response);
    return response;
  }
}

function* meaning({ name, data }) {
  if (data === "[DONE]") {
    yield { finish: "done" };
    return;
  }
  const value = parsed(data);
  if (!value) return;
  if (name === "turnout.decision") yield { decision: value };
  else if (value.error) yield { fault: value.error.message ?? "the reply broke off" };
  else {
    const choice = value.choices?.[0];
    const text = choice?.delta?.content ?? choice?.delta?.refusal;
    if (text) yield { text };
    if (choice?.finish_reason) yield { finish: choice.finish_reason };
  }
}

/** Return the error that an answer tells: OpenAI's error object, API Gateway's message, or the bare status. */
async function refusal(response) {
  const body = parsed(await response.text().catch(() => ""));
  const told = body?.error?.message ?? body?.message;
  const said = told ? sentence(told) : `The server answered ${response.status} ${response.statusText}`.trim() + ".";
  return new ApiError(
    response.status === TOO_LARGE ? `This is too long to send. ${said}` : said,
    { status: response.status, decisionId: response.headers.get("x-turnout-decision-id") },
  );
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Return a message as a sentence; a name at its beginning, as a model's, keeps its letters. */
export function sentence(text) {
  const begun = text.replace(/^[a-z]+(?=[ ,])/, (word) => word.charAt(0).toUpperCase() + word.slice(1));
  return /[.!?)]$/.test(begun) ? begun : `${begun}.`;
}

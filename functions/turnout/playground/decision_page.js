// One decision on a page of its own, for whoever got the link: the record, and every rule that was tried.

import { ApiError } from "./api.js";
import { DecisionLine, decisionHeadline } from "./decision_view.js";
import { copyButton, element, icons } from "./dom.js";
import { explanationView } from "./explanation_view.js";
import { feedbackView } from "./feedback_view.js";
import { moment, usd } from "./format.js";
import { sessionView } from "./session_view.js";
import { factList } from "./signals_view.js";

export class DecisionPage {
  #id = null;

  /** `back` is the link to where the reader came from: `{href, told}`. */
  constructor(node, { api, needsKey, back }) {
    this.node = node;
    this.api = api;
    this.needsKey = needsKey;
    this.back = back;
  }

  async show(id) {
    this.#id = id;
    const title = element("h1", { tabindex: "-1" }, "Decision");
    const content = element("div", { class: "page-content" }, element("p", { class: "waiting" }, "Fetching the record …"));
    this.node.replaceChildren(
      element("p", { class: "back" }, element("a", { href: this.back.href }, this.back.told)),
      title,
      element("p", { class: "decision-id" }, element("code", {}, id), copyButton("Copy link", sharedLink, icons.link)),
      content,
    );
    title.focus({ preventScroll: true });
    window.scrollTo(0, 0);
    const shown = await this.#fetched(() => this.#content(id), id);
    if (this.#id === id) content.replaceChildren(...shown);
  }

  hide() {
    this.#id = null;
    this.node.replaceChildren();
  }

  async #content(id) {
    const record = await this.api.decision(id);
    const [explained, said, session] = await Promise.all([
      this.#fetched(async () => [explanationView(await this.api.explanation(id))], id),
      this.#fetched(async () => [feedbackView(await this.api.feedback(id))], id),
      record.conversation && this.#fetched(async () => [sessionView(await this.api.session(id), id)], id),
    ]);
    const line = new DecisionLine(record, { level: 3 });
    line.settle(record);
    return [
      element("p", { class: "page-headline" }, decisionHeadline(record)),
      element(
        "div",
        { class: "page-columns" },
        element("section", { "aria-labelledby": "record-title" }, element("h2", { id: "record-title" }, "The decision"), line.node),
        element("section", { "aria-labelledby": "rules-title" }, element("h2", { id: "rules-title" }, "The rules, in their order"), ...explained),
        element("section", { "aria-labelledby": "facts-title" }, element("h2", { id: "facts-title" }, "On record"), recordFacts(record), recordedPrompt(record.prompt)),
        said,
        session,
      ),
    ];
  }

  /** Return what `make` gives, or the error it throws in words. */
  async #fetched(make, id) {
    try {
      return await make();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401) this.needsKey(error.message);
      const again = element("button", { type: "button", class: "quiet", onclick: () => this.show(id) }, "Try again");
      return [element("div", { class: "fault" }, element("p", { role: "alert" }, error.message), again)];
    }
  }
}

/** Return the page's address without its query: how a list was filtered is nobody else's concern. */
function sharedLink() {
  const { origin, pathname, hash } = window.location;
  return `${origin}${pathname}${hash}`;
}

const IDS = ["session_id", "trace_id"];

function recordFacts({ created, policy, classifier, signals, seed, stream, shadow, conversation }) {
  const tags = Object.entries(signals.metadata ?? {}).filter(([name]) => !IDS.includes(name));
  return factList([
    ["Made", moment(created)],
    ["Asked for", signals.model],
    ["Policy", `${policy.name}@${policy.version}`],
    ["Classifier", classifier.version],
    ["Tenant", signals.tenant || null],
    ["Key", signals.key || null],
    ["Session", conversation?.session],
    ["Trace", conversation?.trace],
    ["Tags", tags.map(([name, value]) => (value ? `${name}=${value}` : name)).join(", ") || null],
    ["Streamed", stream ? "yes" : "no"],
    ["Most output tokens", signals.max_output_tokens],
    ["Seed", String(seed)],
    ["Shadow policy", shadow && shadowTold(shadow)],
  ]);
}

function shadowTold({ policy, rule, model, estimated_cost_usd: cost }) {
  const name = `${policy.name}@${policy.version}`;
  return model ? `${name} would have chosen ${model} by rule ${rule}, estimated ${usd(cost)}` : `${name} would have left no model`;
}

function recordedPrompt(prompt) {
  return prompt ? element("blockquote", { class: "recorded-prompt" }, prompt) : element("p", { class: "muted" }, "The prompt is not on record: the policy keeps none.");
}

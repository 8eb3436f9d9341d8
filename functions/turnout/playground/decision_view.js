// A decision as a line with four stations: what was read, the rule, the candidates, the outcome.

import { answering, candidatesView, modelName } from "./candidates_view.js";
import { element } from "./dom.js";
import { percent, words } from "./format.js";
import { outcomePending, outcomeView } from "./outcome_view.js";
import { signalsView } from "./signals_view.js";

export class DecisionLine {
  #candidates = null;
  #outcome = null;

  /** Show a decision, with headings of the given level. Until `settle` its last station says what will come. */
  constructor(record, { level }) {
    const station = (kind, title, content) =>
      element("li", { class: `station station-${kind}` }, element(`h${level}`, {}, title), content);
    this.#candidates = candidatesView(record);
    this.#outcome = outcomePending();
    this.node = element(
      "ol",
      { class: "line", role: "list" },
      station("read", "What was read", signalsView(record.signals)),
      station("rule", "Why", ruleView(record)),
      station("points", "Who was in the running", this.#candidates),
      station("end", "What became of it", this.#outcome),
    );
  }

  /** Show what became of it, from the finished record. */
  settle(record) {
    const candidates = candidatesView(record);
    this.#candidates.replaceWith(candidates);
    this.#candidates = candidates;
    this.#end(outcomeView(record));
  }

  /** Say why there is no finished record. */
  giveUp(told) {
    this.#end(element("p", { class: "muted" }, told));
  }

  #end(content) {
    this.#outcome.replaceWith(content);
    this.#outcome = content;
  }
}

/** Return one sentence for a screen reader. */
export function decisionTold({ signals, chosen }) {
  const kind = `${words(signals.category)}, ${percent(signals.confidence)} sure`;
  return chosen
    ? `Decided: ${kind}. Rule ${chosen.rule} chose ${chosen.model}.`
    : `Decided: ${kind}. No model is eligible.`;
}

/** Return the decision in one line: from what kind of work to which model. */
export function decisionHeadline(record) {
  const { signals, chosen } = record;
  return element(
    "span",
    { class: "headline" },
    element("span", { class: "headline-kind" }, words(signals.category)),
    element("span", { class: "headline-arrow", "aria-hidden": "true" }, "→"),
    element("span", { class: "visually-hidden" }, " to "),
    chosen ? modelName(answering(record)) : element("span", { class: "model" }, "no model"),
  );
}

function ruleView({ chosen, policy, signals }) {
  const where = element("p", { class: "muted" }, `Policy ${policy.name}, version ${policy.version}. Asked for: ${signals.model}.`);
  if (!chosen) {
    return element("div", {}, element("p", {}, "The policy leaves no model for this request."), where);
  }
  return element(
    "div",
    {},
    element(
      "p",
      { class: "rule-told" },
      "Rule ",
      element("span", { class: "rule-name" }, chosen.rule),
      ` applies: ${chosen.reason}.`,
    ),
    where,
  );
}

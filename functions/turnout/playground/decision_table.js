// The decisions as a table, one row each. The whole row leads to the decision; for keyboards and readers, its time does.

import { answering, modelName } from "./candidates_view.js";
import { element, table, tableCell, tableHead, tableRow } from "./dom.js";
import { briefMoment, milliseconds, moment, usd, words } from "./format.js";

const HEADS = ["Time", "Category", "Model", "Rule", "Outcome", "Cost", "First byte", "Attempts"];
const FAULTS = new Set(["refused", "rejected", "failed", "broken"]);

export const decisionHref = (id) => `#/decisions/${id}`;

export class DecisionTable {
  constructor() {
    const heads = HEADS.map((head) => tableHead("col", head));
    this.node = table("records", "Decisions, the newest first", heads, []);
    this.body = this.node.tBodies[0];
  }

  get length() {
    return this.body.rows.length;
  }

  add(records) {
    this.body.append(...records.map(row));
  }

  /** Put the focus on the decision's row, where it is shown. */
  focus(id) {
    this.body.querySelector(`a[href="${decisionHref(id)}"]`)?.focus();
  }
}

function row(record) {
  const { id, created, signals, chosen, outcome, cost_usd: cost, ttfb_ms: ttfb, attempts } = record;
  const model = answering(record);
  const link = element("a", { href: decisionHref(id), title: moment(created) }, briefMoment(created));
  const figure = (head, value, more = "") => tableCell({ class: `number ${more}`, "data-head": head }, value ?? "—");
  const made = tableRow(
    { class: "record" },
    tableHead("row", link),
    tableCell({ "data-head": "category" }, words(signals.category)),
    tableCell({ "data-head": "model" }, model ? modelName(model) : "no model"),
    tableCell({ "data-head": "rule" }, chosen ? element("span", { class: "rule-name" }, chosen.rule) : "—"),
    tableCell({ "data-head": "outcome" }, element("span", { class: `ended ended-${kind(outcome)}` }, words(outcome))),
    figure("cost", cost === null ? null : usd(cost)),
    figure("first byte", ttfb === null ? null : milliseconds(ttfb)),
    figure("attempts", String(attempts.length), attempts.length > 1 ? "fell-back" : ""),
  );
  made.addEventListener("click", (event) => {
    // Who marks text to copy it does not want to leave.
    if (!event.target.closest("a") && !String(window.getSelection())) link.click();
  });
  return made;
}

function kind(outcome) {
  if (outcome === "ok") return "well";
  return FAULTS.has(outcome) ? "badly" : "otherwise";
}

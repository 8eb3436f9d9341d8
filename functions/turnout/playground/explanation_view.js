// The rules of a policy in their order: which were tried, and what each of their conditions found.

import { element, table, tableCell, tableHead, tableRow } from "./dom.js";

export function explanationView({ rules, chosen, agrees, policy }) {
  const byDefault = rules.every((rule) => !rule.matched) && rules.every((rule) => rule.reached);
  const pinned = rules.length > 0 && rules.every((rule) => !rule.reached);
  return element(
    "div",
    { class: "explanation" },
    agreement(agrees, policy),
    pinned ? element("p", {}, "The caller asked for this model by name, so no rule was tried.") : null,
    element(
      "ol",
      { class: "rules", role: "list" },
      rules.map(ruleItem),
      byDefault || rules.length === 0 ? defaultItem(chosen) : null,
    ),
  );
}

function agreement(agrees, policy) {
  return agrees
    ? element("p", { class: "agrees" }, `Decided again from the record by ${policy.name}@${policy.version}: the same.`)
    : element("p", { class: "disagrees" }, "Decided again from the record, this comes out differently: the record and the policy do not fit.");
}

function ruleItem({ name, conditions, matched, reached }) {
  const taken = matched && reached;
  const kind = taken ? "taken" : reached ? "passed" : "unreached";
  const told = taken
    ? "applies"
    : reached
      ? "does not apply"
      : matched
        ? "would apply, but was not reached"
        : "not reached";
  return element(
    "li",
    { class: `rule rule-${kind}` },
    element("h3", {}, element("span", { class: "rule-name" }, name), " ", element("span", { class: "rule-state" }, told)),
    conditions.length ? conditionTable(name, conditions) : element("p", { class: "muted" }, "No conditions."),
  );
}

function conditionTable(rule, conditions) {
  const heads = ["Condition", "Wanted", "Actual", "Holds"];
  const rows = conditions.map(({ name, wanted, actual, holds }) =>
    tableRow(
      {},
      tableHead("row", name),
      tableCell({ "data-head": "wanted" }, wanted),
      tableCell({ "data-head": "actual" }, actual),
      tableCell({ class: holds ? "holds" : "fails" }, holds ? "✓ yes" : "✕ no"),
    ),
  );
  return table("conditions", `Conditions of rule ${rule}`, heads.map((head) => tableHead("col", head)), rows);
}

function defaultItem(chosen) {
  return element(
    "li",
    { class: "rule rule-taken" },
    element("h3", {}, element("span", { class: "rule-name" }, "default"), " ", element("span", { class: "rule-state" }, "applies")),
    element("p", { class: "muted" }, chosen ? "No rule before it did." : "No rule before it did, and it left no model."),
  );
}

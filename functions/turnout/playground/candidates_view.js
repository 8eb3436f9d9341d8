// The models that were in the running, drawn as tracks that leave the main line one after the other.

import { element, table, tableCell, tableHead, tableRow } from "./dom.js";
import { usd } from "./format.js";

export function candidatesView(record) {
  const failed = new Set(record.attempts.filter(({ error }) => error).map(({ model }) => model));
  const reached = record.attempts.at(-1)?.model ?? record.chosen?.model;
  const at = record.candidates.findIndex(({ model, eligible }) => eligible && model === reached);
  const verdictOf = verdicts(failed, record.chosen?.model);
  const rows = record.candidates.map((candidate, i) => {
    const verdict = verdictOf(candidate, i === at);
    return tableRow(
      { class: `track track-${verdict.kind}${i < at ? " track-passed" : ""}` },
      tableHead("row", element("span", { class: "candidate-name" }, candidate.name), modelName(candidate.model)),
      tableCell(
        { class: "candidate-verdict" },
        element("span", { class: "verdict" }, verdict.told),
        candidate.reasons.map((reason) => element("span", { class: "why" }, reason)),
      ),
      tableCell({ class: "number" }, usd(candidate.estimated_cost_usd)),
    );
  });
  const heads = ["Model", "In or out", "Est. cost"].map((head) => tableHead("col", head));
  return table("candidates", "Candidates, in the order in which they are tried", heads, rows);
}

/** Return the model whose reply it is; before one answered, and where none did, the one chosen. */
export function answering(record) {
  return record.attempts.find(({ error }) => !error)?.model ?? record.chosen?.model ?? null;
}

/** Return a model's `upstream/id`, breaking after the slash where a line is too short for it. */
export function modelName(model) {
  const [upstream, ...id] = model.split("/");
  if (!id.length) return element("span", { class: "model" }, model);
  return element("span", { class: "model" }, `${upstream}/`, element("wbr"), id.join("/"));
}

/** Return a function that judges one candidate after the other. */
function verdicts(failed, chosen) {
  let isNext = true;
  return ({ model, eligible }, isReached) => {
    if (!eligible) return { kind: "out", told: "Out" };
    if (failed.has(model)) return { kind: "failed", told: "In, tried, failed" };
    if (isReached) return { kind: "taken", told: model === chosen ? "In, chosen" : "In, answered" };
    const told = isNext ? "In, next" : "In reserve";
    isNext = false;
    return { kind: "reserve", told };
  };
}

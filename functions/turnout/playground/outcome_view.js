// What became of the request: attempts, cost, tokens and times. Known when the reply has ended.

import { answering, modelName } from "./candidates_view.js";
import { element } from "./dom.js";
import { count, milliseconds, usd } from "./format.js";
import { factList } from "./signals_view.js";

const OUTCOMES = {
  decided: "Only the decision was asked for; no model was called.",
  refused: "No model was eligible, so none was called.",
  rejected: "The upstream found the request at fault.",
  failed: "Every attempt failed.",
  broken: "The upstream broke off in the middle of the reply.",
  client_gone: "The caller left before the end.",
};

export function outcomeView(record) {
  return element(
    "div",
    { class: "outcome" },
    element("p", { class: "outcome-told" }, told(record)),
    record.attempts.length ? attempts(record.attempts) : null,
    timeline(record),
    figures(record),
  );
}

/** What stands there until then. */
export const outcomePending = () =>
  element("p", { class: "outcome-pending muted" }, "Attempts, actual cost and times follow when the reply has ended.");

function told(record) {
  if (record.outcome !== "ok") return OUTCOMES[record.outcome] ?? record.outcome;
  const total = record.timings_ms.total;
  return `${answering(record)} answered${total ? ` in ${milliseconds(total)}` : ""}.`;
}

function attempts(list) {
  const items = list.map(({ model, status, error, ms }) =>
    element(
      "li",
      { class: error ? "attempt attempt-failed" : "attempt" },
      modelName(model),
      element(
        "span",
        { class: "attempt-told" },
        error
          ? `failed after ${milliseconds(ms)}: ${error}`
          : `status ${status}, began after ${milliseconds(ms)}`,
      ),
    ),
  );
  return element("ol", { class: "attempts", role: "list", "aria-label": "Attempts" }, items);
}

function timeline({ timings_ms: times }) {
  if (!times.total) return null;
  const { sense = 0, decide = 0, upstream = 0, total } = times;
  const parts = [
    ["sense", "read", sense],
    ["decide", "decide", decide],
    ["upstream", "first content", upstream],
    ["rest", "the rest", Math.max(0, total - sense - decide - upstream)],
  ].filter(([, , ms]) => ms > 0);
  const strip = element("div", { class: "timeline-strip", "aria-hidden": "true" });
  for (const [kind, , ms] of parts) {
    const part = element("span", { class: `time-${kind}` });
    part.style.setProperty("--ms", ms.toFixed(3));
    strip.append(part);
  }
  const legend = parts.map(([kind, name, ms]) =>
    element("li", {}, element("i", { class: `time-${kind}` }), `${name} `, element("b", {}, milliseconds(ms))),
  );
  return element("div", { class: "timeline" }, strip, element("ul", { role: "list", "aria-label": "Timings" }, legend));
}

function figures(record) {
  const { usage, cost_usd: cost, ttfb_ms: ttfb } = record;
  const guessed = usage?.estimated ? "≈\u202f" : "";
  const cached = usage?.cached_input_tokens ? `, ${count(usage.cached_input_tokens)} of them cached` : "";
  return factList([
    ["Actual cost", cost === null ? null : `${guessed}${usd(cost)}`],
    ["Tokens in", usage && `${guessed}${count(usage.input_tokens)}${cached}`],
    ["Tokens out", usage && `${guessed}${count(usage.output_tokens)}`],
    ["First byte", ttfb === null ? null : `after ${milliseconds(ttfb)}`],
  ]);
}

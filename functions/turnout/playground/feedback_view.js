// What was said of a decision's reply.

import { element } from "./dom.js";
import { moment, words } from "./format.js";
import { factList } from "./signals_view.js";

// What the playground's form calls it.
const NAMES = { category: "Kind of work" };

/** Return the feedback as a section; null where there is none. */
export function feedbackView(feedback) {
  if (!feedback) return null;
  const { score, at, comment, labels } = feedback;
  return element(
    "section",
    { "aria-labelledby": "feedback-title" },
    element("h2", { id: "feedback-title" }, "What the caller thought"),
    factList([
      ["Judgement", judged(score)],
      ["Said", moment(at)],
      ...Object.entries(labels).map(([name, value]) => [NAMES[name] ?? words(name), words(value)]),
    ]),
    comment ? element("blockquote", { class: "recorded-prompt" }, comment) : null,
  );
}

function judged(score) {
  if (score === 0) return "undecided";
  const whole = Math.abs(score) === 1 ? "" : ` (${score} of -1 to 1)`;
  return `${score > 0 ? "good" : "poor"}${whole}`;
}

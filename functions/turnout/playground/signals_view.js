// What was read in the prompt: its kinds of work as bars, how hard it is, and the facts.

import { element } from "./dom.js";
import { count, language, percent, words } from "./format.js";

const MOST_BARS = 6;

export function signalsView(signals) {
  return element("div", { class: "signals" }, bars(signals), difficulty(signals.difficulty), facts(signals));
}

function bars({ categories, category }) {
  const likeliest = Object.entries(categories).sort(([, a], [, b]) => b - a).slice(0, MOST_BARS);
  if (!likeliest.length) {
    return element("p", { class: "muted" }, "The classifier was not available: the kind of work is unknown.");
  }
  const rows = likeliest.map(([name, share]) => {
    const fill = element("span", { class: "bar-fill" });
    fill.style.setProperty("--share", share.toFixed(4));
    return element(
      "li",
      { class: name === category ? "bar bar-first" : "bar" },
      element("span", { class: "bar-name" }, words(name)),
      element("span", { class: "bar-track", "aria-hidden": "true" }, fill),
      element("span", { class: "bar-share" }, percent(share)),
    );
  });
  return element("ul", { class: "bars", role: "list", "aria-label": "Kinds of work" }, rows);
}

function difficulty(value) {
  const shown = value.toFixed(2);
  const mark = element("span", { class: "gauge-mark" });
  mark.style.setProperty("--at", shown);
  const gauge = element(
    "div",
    {
      class: "gauge",
      role: "meter",
      "aria-label": "Difficulty",
      "aria-valuemin": 0,
      "aria-valuemax": 1,
      "aria-valuenow": shown,
      "aria-valuetext": `${shown} on a scale from 0, easy, to 1, hard`,
    },
    mark,
  );
  return element(
    "div",
    { class: "bar difficulty" },
    element("span", { class: "bar-name", "aria-hidden": "true" }, "difficulty"),
    gauge,
    element("span", { class: "bar-share", "aria-hidden": "true" }, shown),
  );
}

function facts(signals) {
  return factList([
    ["Confidence", percent(signals.confidence)],
    ["Language", language(signals.language)],
    ["Input tokens", `≈\u202f${count(signals.input_tokens)}`],
    ["Needs", signals.needs.map(words).join(", ") || "none"],
  ]);
}

/** Return names and their values, leaving out those without a value. */
export function factList(pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined);
  return element(
    "dl",
    { class: "facts" },
    known.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))),
  );
}

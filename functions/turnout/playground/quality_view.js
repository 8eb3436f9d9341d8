// What callers thought of the replies: each category's and model's share of good ones, with its 95 % interval.

import { modelName } from "./candidates_view.js";
import { element, shape, table, tableCell, tableHead, tableRow } from "./dom.js";
import { count, percent, words } from "./format.js";

const MOST_ROWS = 5;
const WIDE = 120;
const HIGH = 12;

/** Return a report's `quality`, as `GET /v1/report` gives it, as a table; a sentence where nothing was rated. */
export function qualityView(quality) {
  const shown = quality.length ? qualityTable(quality) : unrated();
  return [element("h3", {}, "What callers thought of the replies"), shown];
}

const unrated = () =>
  element("p", { class: "muted" }, "No reply of these days was rated. Thumbs in the playground do that, and ", element("code", {}, "POST /v1/feedback"), ".");

/** Return those that were rated most often, and a button for the rest. */
function qualityTable(quality) {
  const rows = [...quality].sort((a, b) => b.n - a.n).map(row);
  const heads = ["Category", "Model", "Good", "Share, 95\u00a0% interval"].map((head) => tableHead("col", head));
  const shown = table("quality-table", "Quality by category and model, the most rated first", heads, rows.slice(0, MOST_ROWS));
  const region = element("div", { class: "table", tabindex: "0", role: "region", "aria-label": "Quality by category and model" }, shown);
  if (rows.length <= MOST_ROWS) return region;
  const all = element("button", { type: "button", class: "quiet" }, `Show all ${count(rows.length)}`);
  all.addEventListener("click", () => {
    shown.tBodies[0].append(...rows.slice(MOST_ROWS));
    all.remove();
    region.focus();
  });
  return element("div", {}, region, all);
}

function row({ category, model, up, n, share, low, high }) {
  return tableRow(
    {},
    tableHead("row", words(category)),
    tableCell({ class: "quality-model" }, modelName(model)),
    tableCell({ class: "number" }, `${count(up)} of ${count(n)}`),
    tableCell({ class: "interval" }, interval(share, low, high), `${percent(share)} (${percent(low)} to ${percent(high)})`),
  );
}

/** Draw the interval as a band and the share as a mark on it; the figures stand beside it. */
function interval(share, low, high) {
  const x = (value) => value * WIDE;
  return shape(
    "svg",
    { viewBox: `0 0 ${WIDE} ${HIGH}`, width: WIDE, height: HIGH, "aria-hidden": "true", focusable: "false" },
    shape("path", { class: "ground", d: `M0 ${HIGH / 2}H${WIDE}` }),
    shape("rect", { class: "interval-band", x: x(low), y: 3, width: Math.max(2, x(high) - x(low)), height: HIGH - 6, rx: 3 }),
    shape("circle", { class: "interval-share", cx: Math.min(Math.max(x(share), 4), WIDE - 4), cy: HIGH / 2, r: 4 }),
  );
}

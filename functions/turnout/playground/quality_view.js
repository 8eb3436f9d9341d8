// What callers thought of the replies: each category's and model's share of good ones, with its 95 % interval.

import { element, shape, table, tableCell, tableHead, tableRow } from "./dom.js";
import { count, percent, words } from "./format.js";

const WIDE = 120;
const HIGH = 12;

/** Return a report's `quality`, as `GET /v1/report` gives it, as a table; a sentence where nothing was rated. */
export function qualityView(quality) {
  const shown = quality.length ? qualityTable(quality) : unrated();
  return [element("h3", {}, "What callers thought of the replies"), shown];
}

const unrated = () =>
  element("p", { class: "muted" }, "No reply of these days was rated. Thumbs in the playground do that, and ", element("code", {}, "POST /v1/feedback"), ".");

function qualityTable(quality) {
  const heads = ["Category", "Model", "Good", "Share, 95\u00a0% interval"];
  return element("div", { class: "table", tabindex: "0", role: "region", "aria-label": "Quality by category and model" },
    table("quality-table", "Quality by category and model", heads.map((head) => tableHead("col", head)), quality.map(row)));
}

function row({ category, model, up, n, share, low, high }) {
  return tableRow(
    {},
    tableHead("row", words(category)),
    tableCell({}, element("code", {}, model)),
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

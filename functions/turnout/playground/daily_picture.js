// Day by day, as drawings: requests, spend and fallbacks as bars, the time to the first byte as two lines.

import { element, shape, table, tableCell, tableHead, tableRow } from "./dom.js";
import { count, milliseconds, usd } from "./format.js";

const DAYS = 7;
const DAY_MS = 86_400_000;
const WIDE = 280;
// What is written at the last day may be wider than the day.
const MARGIN = 24;
const TOP = 16;
const GROUND = 92;
const HIGH = 110;

const weekday = new Intl.DateTimeFormat("en", { weekday: "short", timeZone: "UTC" });
const date = new Intl.DateTimeFormat("en", { weekday: "short", month: "short", day: "numeric", timeZone: "UTC" });

/** Return the picture of a report, as `GET /v1/report` gives it. Days are UTC's. */
export function dailyPicture({ by_day: known, totals }) {
  const days = withoutGaps(known);
  const saved = totals.saved_usd > 0 ? ` · ${usd(totals.saved_usd)} saved` : "";
  const failed = totals.failed ? ` · ${count(totals.failed)} failed` : "";
  return element(
    "div",
    { class: "daily-content" },
    element(
      "div",
      { class: "panels" },
      panel("Requests", `${count(totals.requests)}${failed}`, days, bars(days, (day) => day.requests, count)),
      panel("Spend", `${usd(totals.cost_usd)}${saved}`, days, bars(days, (day) => day.cost_usd, usd)),
      panel("Fallbacks", count(totals.fallbacks), days, bars(days, (day) => day.fallbacks, count, "bar-caution")),
      panel("First byte", told(totals.ttfb_ms), days, lines(days)),
    ),
    element("details", { class: "daily-table" }, element("summary", {}, "The same in figures, by days in UTC"), figures(days)),
  );
}

/** Return the days up to today, at least a week of them, also those on which nothing happened. */
function withoutGaps(known) {
  const byDay = new Map(known.map((day) => [day.name, day]));
  const nameOf = (ms) => new Date(ms).toISOString().slice(0, 10);
  const today = Date.parse(nameOf(Date.now()));
  const first = Math.min(today - (DAYS - 1) * DAY_MS, ...known.map(({ name }) => Date.parse(name)));
  const names = Array.from({ length: Math.round((today - first) / DAY_MS) + 1 }, (_, i) => nameOf(first + i * DAY_MS));
  return names.map((name) => byDay.get(name) ?? { name, requests: 0, cost_usd: 0, fallbacks: 0, failed: 0, ttfb_ms: null });
}

function panel(title, total, days, drawn) {
  const places = days.map((_, i) => middle(i, days.length));
  const names = days.map(({ name }, i) =>
    shape("text", { class: (days.length - 1 - i) % 2 ? "day-name day-between" : "day-name", x: places[i], y: HIGH - 2 }, weekday.format(Date.parse(name))),
  );
  return element(
    "figure",
    { class: "panel" },
    element("figcaption", {}, element("span", { class: "panel-title" }, title), element("span", { class: "panel-total" }, total)),
    shape(
      "svg",
      { viewBox: `0 0 ${WIDE + MARGIN} ${HIGH}`, "aria-hidden": "true", focusable: "false" },
      shape("path", { class: "ground", d: `M0 ${GROUND}H${WIDE}` }),
      drawn,
      names,
    ),
  );
}

function bars(days, valueOf, told, kind = "") {
  const most = Math.max(0, ...days.map(valueOf));
  const width = Math.min(28, (WIDE / days.length) * 0.6);
  return days.flatMap((day, i) => {
    const value = valueOf(day);
    if (!value) return [];
    const height = Math.max(2, scaled(value, most));
    const x = middle(i, days.length);
    const drawn = shape("rect", { class: `day-bar ${kind}`, x: x - width / 2, y: GROUND - height, width, height, rx: 3 });
    const label = shape("text", { class: "day-value", x, y: GROUND - height - 4 }, told(value));
    return value === most ? [drawn, label] : [drawn];
  });
}

/** Draw p50 and p95 as lines, each broken where a day has none, and named at its end. */
function lines(days) {
  const drawn = ["p50", "p95"].map((name) => ({ name, values: days.map(({ ttfb_ms: ttfb }) => ttfb?.[name] ?? null) }));
  const most = Math.max(0, ...drawn.flatMap(({ values }) => values));
  const place = (value, i) => value !== null && { x: middle(i, days.length), y: GROUND - scaled(value, most) };
  let roof = Infinity;
  return drawn.map(({ name, values }) => {
    const points = values.map(place);
    const path = points.map((at, i) => (at ? `${points[i - 1] ? "L" : "M"}${at.x.toFixed(1)} ${at.y.toFixed(1)}` : ""));
    const last = points.findLast(Boolean);
    // The upper name gives way to the lower one.
    roof = last ? Math.min(last.y + 3.5, roof - 14) : roof;
    return shape(
      "g",
      { class: `percentile percentile-${name}` },
      shape("path", { d: path.join("") }),
      points.filter(Boolean).map(({ x, y }) => shape("circle", { cx: x, cy: y, r: 3 })),
      last && shape("text", { class: "day-value percentile-name", x: last.x + 7, y: roof }, name),
    );
  });
}

function figures(days) {
  const heads = ["Day", "Requests", "Failed", "Spend", "Fallbacks", "First byte, p50", "First byte, p95"];
  const row = ({ name, requests, failed, cost_usd: cost, fallbacks, ttfb_ms: ttfb }) =>
    tableRow(
      {},
      tableHead("row", date.format(Date.parse(name))),
      [count(requests), count(failed), usd(cost), count(fallbacks), time(ttfb?.p50), time(ttfb?.p95)].map((value) =>
        tableCell({ class: "number" }, value),
      ),
    );
  return element("div", { class: "table", tabindex: "0", role: "region", "aria-label": "Day by day, in figures" },
    table("daily-figures", "Day by day", heads.map((head) => tableHead("col", head)), days.map(row)));
}

const middle = (i, of) => ((i + 0.5) * WIDE) / of;

const scaled = (value, most) => (most ? (value / most) * (GROUND - TOP) : 0);

const time = (ms) => (ms === null || ms === undefined ? "—" : milliseconds(ms));

const told = (ttfb) => (ttfb?.p50 === null || ttfb?.p50 === undefined ? "—" : `${time(ttfb.p50)} · p95 ${time(ttfb.p95)}`);

// Puts the decisions page's parts together: the days, the list with its filters, and one decision.

import { announce } from "./announcer.js";
import { Api, ApiError } from "./api.js";
import { dailyPicture } from "./daily_picture.js";
import { DecisionFilters } from "./decision_filters.js";
import { DecisionPage } from "./decision_page.js";
import { DecisionTable } from "./decision_table.js";
import { answering } from "./candidates_view.js";
import { copyButton, element } from "./dom.js";
import { KeyPanel } from "./key_panel.js";
import { qualityView } from "./quality_view.js";
import { apiKey } from "./state.js";

const PAGE = 50;
const POLICY = "policy/";
const byId = (id) => document.getElementById(id);

const api = new Api(apiKey.get);
const keyPanel = new KeyPanel(byId("key-panel"), byId("key-toggle"), { changed: showAll });
const needsKey = (message) => keyPanel.refused(message);
const filters = new DecisionFilters(byId("filters"), { changed: list });
const page = new DecisionPage(byId("decision-page"), { api, needsKey, back: { href: "#/", told: "← To the list" } });

let table = null;
let asked = 0;
let opened = null;
let listScroll = 0;

function showAll() {
  showWhatTheAddressSays();
  return refresh();
}

function refresh() {
  return Promise.all([list(), draw(), offer()]);
}

/** Show the first page of what the filters ask for. */
async function list() {
  const number = ++asked;
  const answer = await fetched(byId("records"), () => api.decisions({ ...filters.query, limit: PAGE }), list);
  if (number !== asked) return;
  byId("further").replaceChildren();
  if (!answer) return;
  table = new DecisionTable();
  show(answer);
  announce(table.length ? `${told(table.length)}.` : "No decisions.");
}

/** Show the page that follows, and put the focus on its first row. */
async function more(next) {
  const number = asked;
  const answer = await fetched(byId("further"), () => api.decisions({ ...filters.query, limit: PAGE, cursor: next }), () => more(next));
  if (!answer || number !== asked) return;
  show(answer);
  announce(`${told(answer.data.length)} more.`);
  if (answer.data.length) table.focus(answer.data[0].id);
  else byId("further").querySelector("button")?.focus();
}

function show({ data, next }) {
  table.add(data);
  learn(data);
  byId("records").replaceChildren(table.length ? table.node : nothing(next));
  const further = next && element("button", { type: "button", class: "quiet", onclick: () => more(next) }, "Show older");
  byId("further").replaceChildren(...(further ? [further] : []));
}

function learn(records) {
  filters.learn({
    category: records.flatMap(({ signals }) => [signals.category, ...Object.keys(signals.categories)]),
    model: records.map(answering),
    policy: records.map(({ policy }) => policy.name),
    key: records.map(({ signals }) => signals.key),
  });
}

function nothing(next) {
  if (next) return element("p", { class: "nothing" }, "None among the latest decisions. Older ones have not been looked at yet.");
  if (filters.narrowed) return element("p", { class: "nothing" }, "No decision of this time fits these filters.");
  const url = new URL("v1/chat/completions", window.location.href);
  const key = apiKey.get() ? ' -H "Authorization: Bearer $TURNOUT_KEY"' : "";
  const command = `curl ${url}${key} -H "content-type: application/json" -d '{"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}'`;
  return element(
    "div",
    { class: "nothing" },
    element("p", {}, "No decision of this time is on record. Every request leaves one: ask something in ", element("a", { href: "./" }, "the playground"), ", or send a request from a shell."),
    element("pre", { tabindex: "0", role: "region", "aria-label": "Command" }, element("code", {}, command)),
    copyButton("Copy the command", () => command),
  );
}

async function draw() {
  const place = byId("daily-picture");
  try {
    const report = await api.report("7d");
    place.replaceChildren(dailyPicture(report));
    byId("quality").replaceChildren(...qualityView(report.quality));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    place.replaceChildren(element("p", { class: "muted" }, whyNoPicture(error)));
    byId("quality").replaceChildren();
  }
}

function whyNoPicture({ status, message }) {
  if (status === 404) return "There is no daily picture here: this server makes no reports.";
  return status === 401 ? "The days are drawn once there is a key." : `There is no daily picture. ${message}`;
}

/** Offer what can be asked for, also what no decision of the list has. */
async function offer() {
  try {
    const ids = await api.models();
    const named = ids.filter((id) => id.startsWith(POLICY)).map((id) => id.slice(POLICY.length));
    filters.learn({ model: ids.filter((id) => id !== "auto" && !id.startsWith(POLICY)), policy: named });
  } catch (error) {
    // The list asks the same server and says what is wrong.
    if (!(error instanceof ApiError)) throw error;
  }
}

/** Return what `ask` gives; null, with the error in words at `place`, where it fails and is still awaited. */
async function fetched(place, ask, again) {
  const number = asked;
  place.setAttribute("aria-busy", "true");
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (number !== asked) return null;
    if (error.status === 401) needsKey(error.message);
    const retry = element("button", { type: "button", class: "quiet", onclick: again }, "Try again");
    place.replaceChildren(element("div", { class: "fault" }, element("p", { role: "alert" }, error.message), retry));
    return null;
  } finally {
    place.removeAttribute("aria-busy");
  }
}

function showWhatTheAddressSays() {
  const [, id] = /^#\/decisions\/([^/]+)$/.exec(window.location.hash) ?? [];
  const fromList = !byId("list").hidden;
  if (fromList) listScroll = window.scrollY;
  byId("list").hidden = Boolean(id);
  byId("decision-page").hidden = !id;
  document.title = id ? `Decision ${id} · Turnout` : "Turnout decisions";
  if (id) page.show(id);
  else page.hide();
  if (!id && !fromList) {
    byId("main").focus({ preventScroll: true });
    table?.focus(opened);
    window.scrollTo({ top: listScroll, behavior: "instant" });
  }
  opened = id;
}

const told = (number) => (number === 1 ? "1 decision" : `${number} decisions`);

byId("refresh").addEventListener("click", refresh);
byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});
window.addEventListener("hashchange", showWhatTheAddressSays);
showAll();

// Puts the page's parts together.

import { announce } from "./announcer.js";
import { Api, ApiError } from "./api.js";
import { ChatView } from "./chat_view.js";
import { Composer } from "./composer.js";
import { DecisionPage } from "./decision_page.js";
import { exampleList } from "./examples.js";
import { KeyPanel } from "./key_panel.js";
import { perform } from "./perform.js";
import { Conversation, apiKey } from "./state.js";
import { Targets } from "./targets.js";

const byId = (id) => document.getElementById(id);

const api = new Api(apiKey.get);
const conversation = new Conversation();
const running = new Set();
let chatScroll = 0;

const keyPanel = new KeyPanel(byId("key-panel"), byId("key-toggle"), { changed: keyChanged });
const needsKey = (message) => keyPanel.refused(message);
const targets = new Targets(byId("composer"));
const composer = new Composer(byId("composer"), { send, stop });
const decisionPage = new DecisionPage(byId("decision-page"), { api, needsKey, back: { href: "#/", told: "← To the chat" } });
const chat = new ChatView(byId("conversation"), { retry, needsKey, rate: api.rate });

function send(prompt) {
  if (!targets.models.length) meet();
  conversation.system = composer.system.value;
  const turn = conversation.add(prompt, targets.chosen);
  welcome(false);
  const views = chat.add(turn);
  views.forEach((view, lane) => start(turn, lane, view));
}

function welcome(shown) {
  byId("welcome").hidden = !shown;
  byId("conversation-title").hidden = shown;
}

function retry(view) {
  const turn = conversation.turns.find(({ runs }) => runs.includes(view.run));
  composer.focus();
  start(turn, turn.runs.indexOf(view.run), view);
}

async function start(turn, lane, view) {
  const stopper = new AbortController();
  running.add(stopper);
  composer.setBusy(true);
  const ended = () => {
    running.delete(stopper);
    composer.setBusy(running.size > 0);
  };
  const run = turn.runs[lane];
  const messages = conversation.messages(turn, lane);
  await perform({ run, messages, api, view, signal: stopper.signal, ended });
}

function stop() {
  for (const stopper of running) stopper.abort();
}

function startAfresh() {
  stop();
  conversation.clear();
  chat.clear();
  welcome(true);
  if (window.location.hash.startsWith("#/decisions/")) window.location.hash = "#/";
  window.scrollTo(0, 0);
  composer.focus();
  announce("A new chat.");
}

function keyChanged() {
  showWhatTheAddressSays();
  return meet();
}

/** Ask the server what it offers. */
async function meet() {
  const trouble = byId("trouble");
  trouble.replaceChildren();
  try {
    targets.offer(await api.models());
    nameTracks(targets.models);
    const { version, classifier, policy } = await api.health();
    byId("about").textContent = `Turnout ${version} · policy ${policy} · classifier ${classifier}`;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401) needsKey(error.message);
    else trouble.append(error.message);
  }
}

/** Write the names of a few models, of different upstreams before others, on the welcome's tracks. */
function nameTracks(models) {
  const upstream = (id) => id.split("/")[0];
  const isFirst = (id) => models.find((other) => upstream(other) === upstream(id)) === id;
  const named = [...models.filter(isFirst), ...models.filter((id) => !isFirst(id))];
  [...byId("tracks-models").children].forEach((text, i) => { text.textContent = named[i] ?? ""; });
}

function showWhatTheAddressSays() {
  const [, id] = /^#\/decisions\/([^/]+)$/.exec(window.location.hash) ?? [];
  const fromChat = !byId("chat").hidden;
  if (fromChat) chatScroll = window.scrollY;
  byId("chat").hidden = Boolean(id);
  byId("composer").hidden = Boolean(id);
  byId("decision-page").hidden = !id;
  document.title = id ? `Decision ${id} · Turnout` : "Turnout playground";
  if (id) decisionPage.show(id);
  else decisionPage.hide();
  if (id || fromChat) return;
  byId("main").focus({ preventScroll: true });
  window.scrollTo({ top: chatScroll, behavior: "instant" });
}

byId("examples").append(exampleList(send));
byId("more-examples").append(exampleList((prompt) => {
  byId("more-examples").hidePopover();
  startAfresh();
  send(prompt);
}));
byId("new-chat").addEventListener("click", startAfresh);
byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});
window.addEventListener("hashchange", showWhatTheAddressSays);
showWhatTheAddressSays();
meet();

// The conversation: turns, each a prompt with its reply, or with two side by side.

import { element } from "./dom.js";
import { RunView } from "./run_view.js";

const SIDES = ["Left", "Right"];
const LONG = { characters: 1500, lines: 14 };

export class ChatView {
  #views = [];

  constructor(node, actions) {
    this.node = node;
    this.actions = { ...actions, grown: (view) => this.#follow(view) };
  }

  /** Show a turn and return its runs' views. */
  add(turn) {
    this.#views.forEach((view) => view.fold());
    const compared = turn.runs.length > 1;
    this.#views = turn.runs.map((run, i) => new RunView(run, compared ? SIDES[i] : null, this.actions));
    const article = element(
      "article",
      { class: compared ? "turn turn-compared" : "turn" },
      element(
        "div",
        { class: "prompt" },
        element("h2", { class: "visually-hidden" }, `Prompt ${this.node.childElementCount + 1}`),
        promptText(turn.prompt),
      ),
      compared ? fork() : null,
      element("div", { class: "runs" }, this.#views.map((view) => view.node)),
    );
    this.node.append(article);
    article.scrollIntoView({ block: "start" });
    return this.#views;
  }

  clear() {
    this.#views = [];
    this.node.replaceChildren();
  }

  /** Keep the end of a growing reply in sight, unless the reader has scrolled away from it. */
  #follow({ body, foot, side }) {
    if (side) return;
    const room = window.innerHeight - composerHeight();
    const end = (foot.firstChild ? foot : body).getBoundingClientRect().bottom;
    const near = end - room < 120;
    if (near && end > room) window.scrollBy({ top: end - room + 24, behavior: "instant" });
  }
}

/** Return the prompt; a long one folded, so that its reply is in sight. */
function promptText(prompt) {
  const text = element("p", { class: "prompt-text" }, prompt);
  if (prompt.length <= LONG.characters && prompt.split("\n").length <= LONG.lines) return text;
  const toggle = element("button", { type: "button", class: "quiet", "aria-expanded": "false" }, "Show the whole prompt");
  const folded = element("div", { class: "prompt-folded" }, text);
  toggle.addEventListener("click", () => {
    const isFolded = folded.classList.toggle("prompt-folded");
    toggle.setAttribute("aria-expanded", String(!isFolded));
    toggle.textContent = isFolded ? "Show the whole prompt" : "Fold the prompt";
  });
  return [folded, toggle];
}

/** The track from the prompt to the two columns. */
const fork = () =>
  element("div", { class: "fork", "aria-hidden": "true" }, element("span", { class: "fork-out" }), element("span", { class: "fork-in" }));

const composerHeight = () => document.getElementById("composer").offsetHeight;

// Thumbs for a reply, and after one the room to say why: a comment, and what kind of work it really was.

import { announce } from "./announcer.js";
import { element, icons } from "./dom.js";
import { words } from "./format.js";

const LONGEST_COMMENT = 4000;
const THANKS = "Thank you, noted.";

export class Rating {
  #score = null;
  #form = null;

  /** `rate({score, comment, labels})` sends a judgement; `categories` are those that the prompt may be of. */
  constructor({ rate, categories, category }) {
    this.rate = rate;
    this.categories = categories;
    this.category = category;
    this.said = element("span", { class: "rated" });
    this.why = element("button", { type: "button", class: "quiet", "aria-expanded": "false", hidden: true, onclick: () => this.#unfold() }, "Say why");
    this.thumbs = [thumb("Good reply", icons.up, 1), thumb("Poor reply", icons.down, -1)];
    for (const button of this.thumbs) button.addEventListener("click", () => this.#press(button));
    this.node = element("div", { class: "thumbs", role: "group", "aria-label": "Rate this reply" }, this.thumbs, this.said, this.why);
    /** Where the form is shown: below the thumbs' row. */
    this.room = element("div", { class: "rating-room" });
  }

  async #press(button) {
    const before = this.thumbs.map((each) => each.getAttribute("aria-pressed"));
    this.#show(this.thumbs.map((each) => String(each === button)));
    const score = Number(button.dataset.score);
    if (await this.#send({ score, ...this.#reasons() }, this.said)) {
      this.#score = score;
      this.why.hidden = false;
    } else this.#show(before);
  }

  #show(pressed) {
    this.thumbs.forEach((each, i) => each.setAttribute("aria-pressed", pressed[i]));
  }

  /** Send a judgement and say what came of it at `place`. Return whether it was kept. */
  async #send(judgement, place) {
    place.replaceChildren();
    try {
      await this.rate(judgement);
    } catch (error) {
      place.append(element("span", { class: "rated-fault", role: "alert" }, `Not saved. ${error.message}`));
      return false;
    }
    place.append(THANKS);
    announce(THANKS);
    return true;
  }

  #unfold() {
    this.#form ??= this.#made();
    const isShown = this.why.getAttribute("aria-expanded") === "true";
    this.why.setAttribute("aria-expanded", String(!isShown));
    this.room.replaceChildren(...(isShown ? [] : [this.#form.node]));
    if (isShown) return;
    this.#form.comment.focus({ preventScroll: true });
    this.#form.node.scrollIntoView({ block: "nearest" });
  }

  #made() {
    const comment = element("textarea", { rows: 2, maxlength: LONGEST_COMMENT, placeholder: "What was good or poor about it" });
    const options = this.categories.map((name) => element("option", { value: name }, words(name)));
    const really = element("select", {}, element("option", { value: "" }, `as it was read: ${words(this.category)}`), options);
    const told = element("span", { class: "rated" });
    const node = element(
      "form",
      { class: "rating-form", "aria-label": "Say why" },
      element("label", {}, "Comment", comment),
      this.categories.length ? element("label", {}, "Kind of work", really) : null,
      element("div", { class: "rating-send" }, element("button", { type: "submit", class: "primary" }, "Send feedback"), told),
    );
    node.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (!(await this.#send({ score: this.#score, ...this.#reasons() }, told))) return;
      this.said.replaceChildren(THANKS);
      this.#unfold();
      this.why.focus();
    });
    return { node, comment, really };
  }

  /** What was written so far; a new thumb keeps it. */
  #reasons() {
    if (!this.#form) return {};
    const comment = this.#form.comment.value.trim();
    const category = this.#form.really.value;
    return { ...(comment && { comment }), ...(category && { labels: { category } }) };
  }
}

const thumb = (label, icon, score) =>
  element("button", { type: "button", class: "quiet thumb", "aria-pressed": "false", "aria-label": label, title: label, "data-score": score }, icon());

// One reply and its decision, as they come.

import { announce } from "./announcer.js";
import { answering, modelName } from "./candidates_view.js";
import { DecisionLine, decisionHeadline, decisionTold } from "./decision_view.js";
import { copyButton, element, icons } from "./dom.js";
import { milliseconds, usd } from "./format.js";
import { Rating } from "./rating.js";
import { ReplyText } from "./reply_text.js";

const WHAT_NOW = {
  waiting: "Reading the prompt",
  decided: "Waiting for the first words",
};

export class RunView {
  #frame = 0;
  #text = null;
  #line = null;

  /** `side` names the column of a comparison, or is null; `actions`: `retry`, `rate`, `needsKey`, `grown`. */
  constructor(run, side, actions) {
    this.run = run;
    this.side = side;
    this.actions = actions;
    this.head = element("p", { class: "reply-head" });
    this.body = element("div", { class: "reply-body" });
    this.foot = element("div", { class: "reply-foot" });
    this.reply = element(
      "div",
      { class: "reply" },
      element("h3", { class: "visually-hidden" }, side ? `${side} reply` : "Reply"),
      this.head,
      this.body,
      this.foot,
    );
    this.headline = element("summary", {});
    this.detail = element("div", { class: "decision-body" });
    this.decision = element("details", { class: "decision", open: true, hidden: true }, this.headline, this.detail);
    this.node = element("div", { class: "run" }, this.reply, this.decision);
  }

  /** Fold the decision, as a newer turn begins. */
  fold() {
    this.decision.open = false;
  }

  begun() {
    this.#text = null;
    this.#line = null;
    this.foot.replaceChildren();
    this.decision.hidden = true;
    this.decision.open = true;
    this.#wait("waiting");
    this.#nameTarget();
  }

  decided() {
    this.#showDecision();
    if (!this.run.text) this.#wait("decided");
    this.#nameTarget();
    announce(this.#toSide(decisionTold(this.run.decision)));
  }

  grew() {
    if (!this.#frame) this.#frame = requestAnimationFrame(() => this.#showText());
  }

  ended() {
    cancelAnimationFrame(this.#frame);
    this.#showText();
    this.#text?.node.classList.remove("growing");
    if (!this.run.text) this.body.replaceChildren();
    this.#showEnding();
  }

  settled() {
    this.#showDecision();
    this.#line.settle(this.run.decision);
    this.#nameTarget();
    this.#showFoot();
  }

  unsettled(message) {
    this.#line?.giveUp(`The finished record could not be read: ${message}`);
    this.#showFoot();
  }

  #wait(what) {
    this.body.replaceChildren(element("p", { class: "waiting" }, element("span", { class: "waiting-train", "aria-hidden": "true" }), `${WHAT_NOW[what]} …`));
  }

  #nameTarget() {
    const { target, decision, status } = this.run;
    const model = decision && status !== "failed" ? answering(decision) : null;
    this.head.replaceChildren(
      ...(this.side ? [element("span", { class: "side" }, this.side)] : []),
      element("span", { class: "target" }, target),
      ...(model && model !== target
        ? [element("span", { "aria-hidden": "true" }, "→"), element("span", { class: "visually-hidden" }, "answered by"), element("span", { class: "answering" }, modelName(model))]
        : []),
    );
  }

  #showText() {
    this.#frame = 0;
    if (!this.run.text) return;
    if (!this.#text) {
      this.#text = new ReplyText();
      this.#text.node.classList.add("growing");
      this.body.replaceChildren(this.#text.node);
    }
    this.#text.show(this.run.text);
    this.actions.grown(this);
  }

  #showDecision() {
    const { decision } = this.run;
    this.headline.replaceChildren(element("h3", { class: "eyebrow" }, "Decision"), decisionHeadline(decision));
    if (this.#line) return;
    this.#line = new DecisionLine(decision, { level: 4 });
    this.detail.replaceChildren(this.#line.node, this.#share(decision.id));
    this.decision.hidden = false;
  }

  #share(id) {
    const link = element("a", { href: `#/decisions/${id}` }, "Open this decision");
    return element(
      "p",
      { class: "share" },
      link,
      copyButton("Copy link", () => link.href, icons.link),
    );
  }

  #showEnding() {
    const { status, fault, note } = this.run;
    if (fault) {
      const told = status === "incomplete" ? `The reply is incomplete. ${fault.message}` : fault.message;
      this.foot.append(this.#fault(told));
      if (fault.status === 401) this.actions.needsKey(fault.message);
      return;
    }
    if (status === "stopped") this.foot.append(element("p", { class: "note" }, "You stopped this reply."));
    else if (note) this.foot.append(element("p", { class: "note" }, note));
    const words = this.run.text.split(/\s+/).filter(Boolean).length;
    announce(this.#toSide(status === "stopped" ? "Reply stopped." : `Reply complete, ${words} words.`));
  }

  #fault(told) {
    const again = element("button", { type: "button", class: "quiet", onclick: () => this.actions.retry(this) }, "Try again");
    return element("div", { class: "fault" }, element("p", { role: "alert" }, this.#toSide(told)), again);
  }

  #showFoot() {
    const { run } = this;
    if (run.status === "failed" || this.foot.querySelector(".reply-actions")) return;
    const { cost_usd: cost, timings_ms: times } = run.decision ?? { timings_ms: {} };
    const figures = [
      times.total && milliseconds(times.total),
      cost !== null && cost !== undefined && usd(cost),
    ].filter(Boolean);
    const rating = run.text ? this.#rating() : null;
    this.foot.append(
      element(
        "div",
        { class: "reply-actions" },
        rating?.node,
        run.text ? copyButton("Copy", () => run.text) : null,
        element("span", { class: "figures" }, figures.join(" · ")),
      ),
      ...(rating ? [rating.room] : []),
    );
    this.actions.grown(this);
  }

  #rating() {
    const { decisionId, decision } = this.run;
    const signals = decision?.signals ?? { categories: {}, category: "" };
    return new Rating({
      rate: (judgement) => this.actions.rate(decisionId, judgement),
      categories: Object.keys(signals.categories).filter((name) => name !== signals.category).sort(),
      category: signals.category,
    });
  }

  #toSide(told) {
    return this.side ? `${this.side}: ${told}` : told;
  }
}

// Which decisions are asked for: kept in the address, so that a filtered list can be linked to.

import { element } from "./dom.js";
import { words } from "./format.js";

const SPANS = [["1h", "The last hour"], ["24h", "The last 24 hours"], ["7d", "The last 7 days"], ["30d", "The last 30 days"]];
const DEFAULT_SPAN = "7d";
const OUTCOMES = ["ok", "decided", "refused", "rejected", "failed", "broken", "client_gone"];
const FIELDS = ["category", "model", "policy", "key", "outcome"];

export class DecisionFilters {
  #known = Object.fromEntries(FIELDS.map((name) => [name, new Set()]));
  #inputs = {};
  #keys = element("datalist", { id: "known-keys" });

  /** `changed()` is called when the filters are others. */
  constructor(form, { changed }) {
    this.form = form;
    this.changed = changed;
    this.clearButton = element("button", { type: "button", class: "quiet", onclick: () => this.clear() }, "Clear filters");
    this.#inputs = {
      since: element("select", { id: "filter-since" }, SPANS.map(([value, told]) => element("option", { value }, told))),
      ...Object.fromEntries(FIELDS.map((name) => [name, element("select", { id: `filter-${name}` })])),
      key: element("input", { id: "filter-key", type: "text", list: "known-keys", placeholder: "Any", spellcheck: "false" }),
    };
    const titles = { since: "Time" };
    form.append(
      ...Object.entries(this.#inputs).map(([name, input]) =>
        element("div", { class: "filter" }, element("label", { for: input.id }, titles[name] ?? capital(name)), input),
      ),
      this.#keys,
      this.clearButton,
    );
    OUTCOMES.forEach((outcome) => this.#known.outcome.add(outcome));
    this.read();
    form.addEventListener("change", () => this.#settle());
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  /** What `GET /v1/decisions` is to be asked for. */
  get query() {
    const set = Object.entries(this.#inputs).map(([name, input]) => [name, input.value.trim()]);
    return Object.fromEntries(set.filter(([, value]) => value));
  }

  get narrowed() {
    return FIELDS.some((name) => this.query[name]);
  }

  /** Take the filters out of the address. */
  read() {
    const asked = new URLSearchParams(window.location.search);
    const since = asked.get("since");
    this.#inputs.since.value = SPANS.some(([value]) => value === since) ? since : DEFAULT_SPAN;
    for (const name of FIELDS) this.#offer(name, asked.get(name) ?? "");
    this.clearButton.hidden = !this.narrowed;
  }

  /** Offer these values besides those offered already: `{category: [...], model: [...], ...}`. */
  learn(values) {
    for (const [name, more] of Object.entries(values)) {
      more.forEach((value) => this.#known[name].add(value));
      this.#offer(name, this.#inputs[name].value);
    }
  }

  clear() {
    for (const name of FIELDS) this.#inputs[name].value = "";
    this.#inputs.since.focus();
    this.#settle();
  }

  #settle() {
    const { since, ...narrowing } = this.query;
    const told = new URLSearchParams(since === DEFAULT_SPAN ? narrowing : this.query).toString();
    window.history.replaceState(null, "", `${window.location.pathname}${told && `?${told}`}${window.location.hash}`);
    this.clearButton.hidden = !this.narrowed;
    this.changed();
  }

  #offer(name, value) {
    const values = [...new Set([...this.#known[name], ...(value ? [value] : [])])].filter(Boolean);
    if (name !== "outcome") values.sort();
    const spoken = name === "category" || name === "outcome" ? words : (each) => each;
    const options = values.map((each) => element("option", { value: each }, spoken(each)));
    if (name === "key") this.#keys.replaceChildren(...options);
    else this.#inputs[name].replaceChildren(element("option", { value: "" }, "Any"), ...options);
    this.#inputs[name].value = value;
  }
}

const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);

// Where an API key is given, shown once a server has asked for one.

import { element } from "./dom.js";
import { apiKey } from "./state.js";

export class KeyPanel {
  /** `changed()` is called when the key is another, or none; it may call `refused`. */
  constructor(form, toggle, { changed }) {
    this.form = form;
    this.toggle = toggle;
    this.told = element("p", { class: "key-told", id: "key-told", role: "alert" });
    this.field = element("input", {
      id: "key",
      type: "password",
      autocomplete: "off",
      spellcheck: "false",
      "aria-describedby": "key-told key-note",
    });
    this.forget = element("button", { type: "button", class: "quiet" }, "Forget this key");
    form.append(...this.#content());
    this.#show(false);
    this.toggle.hidden = !apiKey.get();
    toggle.addEventListener("click", () => {
      this.#show(this.form.hidden);
      if (!this.form.hidden) this.field.focus();
    });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const key = this.field.value.trim();
      if (!key) return;
      apiKey.set(key);
      this.#show(false);
      this.toggle.focus();
      await changed();
    });
    this.forget.addEventListener("click", async () => {
      apiKey.forget();
      this.field.value = "";
      await changed();
    });
  }

  /** Ask for a key, since the server refused what it was sent. */
  refused(message) {
    this.told.textContent = message;
    this.field.setAttribute("aria-invalid", String(Boolean(apiKey.get())));
    this.#show(true);
    this.field.focus();
  }

  #content() {
    return [
      element("label", { for: "key" }, "API key"),
      this.told,
      element(
        "div",
        { class: "key-row" },
        this.field,
        element("button", { type: "submit", class: "primary" }, "Use this key"),
        this.forget,
      ),
      element(
        "p",
        { class: "muted", id: "key-note" },
        "Kept in this tab alone, until you close it. ",
        element("code", {}, "turnout keys create NAME"),
        " makes one.",
      ),
    ];
  }

  #show(shown) {
    this.form.hidden = !shown;
    this.toggle.hidden = false;
    this.toggle.setAttribute("aria-expanded", String(shown));
    this.forget.hidden = !apiKey.get();
    if (!shown) {
      this.field.removeAttribute("aria-invalid");
      this.told.textContent = "";
    }
  }
}

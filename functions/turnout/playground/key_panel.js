// Where an API key is given, shown once a server has asked for one.

import { apiKey } from "./state.js";

export class KeyPanel {
  /** `changed()` is called when the key is another, or none; it may call `refused`. */
  constructor(form, toggle, { changed }) {
    this.form = form;
    this.toggle = toggle;
    this.field = form.querySelector("#key");
    this.told = form.querySelector("#key-told");
    this.forget = form.querySelector("#key-forget");
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

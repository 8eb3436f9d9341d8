// The prompt box and what belongs to it.

export class Composer {
  /** `send(prompt)` and `stop()` are called as the buttons and keys ask. */
  constructor(form, { send, stop }) {
    this.form = form;
    this.prompt = form.querySelector("#prompt");
    this.sendButton = form.querySelector("#send");
    this.stopButton = form.querySelector("#stop");
    this.system = form.querySelector("#system");
    this.busy = false;

    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit(send);
    });
    this.prompt.addEventListener("keydown", (event) => {
      // Enter that ends the writing of a word, as in Japanese, does not send.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#submit(send);
    });
    this.prompt.addEventListener("input", () => this.#fit());
    this.stopButton.addEventListener("click", () => {
      stop();
      this.prompt.focus();
    });
    this.#foldSystem(form.querySelector("#system-toggle"), form.querySelector("#system-panel"));
    new ResizeObserver(() => {
      document.documentElement.style.setProperty("--composer-height", `${form.offsetHeight}px`);
    }).observe(form);
  }

  setBusy(busy) {
    const hadFocus = [this.sendButton, this.stopButton].includes(document.activeElement);
    this.busy = busy;
    this.sendButton.hidden = busy;
    this.stopButton.hidden = !busy;
    if (hadFocus) (busy ? this.stopButton : this.prompt).focus();
  }

  focus() {
    this.prompt.focus();
  }

  #submit(send) {
    const prompt = this.prompt.value.trim();
    if (!prompt || this.busy) return;
    this.prompt.value = "";
    this.#fit();
    send(prompt);
  }

  #fit() {
    this.prompt.style.height = "auto";
    this.prompt.style.height = `${this.prompt.scrollHeight + 2}px`;
  }

  #foldSystem(toggle, panel) {
    toggle.addEventListener("click", () => {
      panel.hidden = !panel.hidden;
      toggle.setAttribute("aria-expanded", String(!panel.hidden));
      if (!panel.hidden) this.system.focus();
    });
    this.system.addEventListener("input", () => {
      toggle.classList.toggle("is-set", this.system.value.trim() !== "");
    });
  }
}

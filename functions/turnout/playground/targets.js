// Where a prompt goes: by a policy, to a model, or to two targets side by side.

import { element } from "./dom.js";

const POLICY = "policy/";

export class Targets {
  /** The models among what is offered, without the policies. */
  models = [];

  constructor(form) {
    const find = (id) => form.querySelector(`#${id}`);
    this.smart = find("smart");
    this.single = find("single-target");
    this.policy = find("policy");
    this.model = find("model");
    this.compare = find("compare");
    this.pair = find("pair-target");
    this.sides = [find("left"), find("right")];
    this.smart.addEventListener("change", () => this.#show());
    this.compare.addEventListener("click", () => {
      this.compare.setAttribute("aria-pressed", String(!this.compared));
      this.#show();
    });
    this.offer(["auto"]);
  }

  get compared() {
    return this.compare.getAttribute("aria-pressed") === "true";
  }

  /** The targets of the next prompt: one, or two. */
  get chosen() {
    if (this.compared) return this.sides.map((side) => side.value);
    return [this.smart.checked ? this.policy.value : this.model.value];
  }

  /** Offer these ids, as `GET /v1/models` lists them; what was chosen stays so where it can. */
  offer(ids) {
    const policies = ids.filter((id) => id === "auto" || id.startsWith(POLICY));
    this.models = ids.filter((id) => !policies.includes(id));
    fill(this.policy, policies.map(option));
    fill(this.model, byUpstream(this.models));
    this.smart.disabled = !this.models.length;
    for (const side of this.sides) {
      fill(side, [element("optgroup", { label: "By a policy" }, policies.map(option)), ...byUpstream(this.models)]);
    }
    const [left, right] = this.sides;
    if (left.value === right.value && this.models.length) right.value = this.models[0];
    this.#show();
  }

  #show() {
    this.single.hidden = this.compared;
    this.pair.hidden = !this.compared;
    this.policy.parentElement.hidden = !this.smart.checked;
    this.model.parentElement.hidden = this.smart.checked;
  }
}

function fill(select, options) {
  const before = select.value;
  select.replaceChildren(...options);
  if ([...select.options].some(({ value }) => value === before)) select.value = before;
}

function option(id) {
  const shown = id === "auto" ? "auto (default)" : id.replace(POLICY, "");
  return element("option", { value: id }, shown);
}

function byUpstream(models) {
  const upstreams = [...new Set(models.map((id) => id.split("/")[0]))];
  return upstreams.map((upstream) =>
    element(
      "optgroup",
      { label: upstream },
      models.filter((id) => id.split("/")[0] === upstream).map((id) => element("option", { value: id }, id.slice(upstream.length + 1) || id)),
    ),
  );
}

// The session that a decision belongs to: its requests in their order, this one among them.

import { modelName } from "./candidates_view.js";
import { element } from "./dom.js";
import { briefMoment, usd, words } from "./format.js";

/** Return the session's requests as links; null where there is none but this decision's. */
export function sessionView({ requests, cost_usd: cost, complete }, id) {
  if (requests.length < 2) return null;
  const told = `${requests.length} requests, ${usd(cost)}${complete ? "" : "; there may be older ones"}.`;
  return element(
    "section",
    { "aria-labelledby": "session-title" },
    element("h2", { id: "session-title" }, "The session"),
    element("p", { class: "muted" }, told),
    element("ol", { class: "session" }, requests.map((request) => sessionItem(request, request.id === id))),
  );
}

function sessionItem({ id, created, category, model, outcome }, isThis) {
  const time = briefMoment(created);
  return element(
    "li",
    {},
    isThis ? element("b", { "aria-current": "true" }, time) : element("a", { href: `#/decisions/${id}` }, time),
    ` ${words(category)}, `,
    modelName(model),
    outcome === "ok" ? null : `, ${words(outcome)}`,
  );
}

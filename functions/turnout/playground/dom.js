// Makes elements. Text goes in as text: nothing here, or anywhere on the page, parses HTML.

const SVG = "http://www.w3.org/2000/svg";

/** Return a new element. Properties named `on...` are listeners; null and false leave an attribute out. */
export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** Return a new element of a drawing. */
export function shape(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/** Return a drawing, hidden from screen readers: what it says is said in words beside it. */
export function drawing(viewBox, ...paths) {
  return shape("svg", { viewBox, class: "icon", "aria-hidden": "true" }, paths.map((d) => shape("path", { d })));
}

export const icons = {
  up: () => drawing("0 0 24 24", "M7 11v9H4v-9zM7 11l4-8c1.7 0 3 1.3 3 3v3h5.5a2 2 0 0 1 2 2.4l-1.4 7a2 2 0 0 1-2 1.6H7"),
  down: () => drawing("0 0 24 24", "M17 13V4h3v9zM17 13l-4 8c-1.7 0-3-1.3-3-3v-3H4.5a2 2 0 0 1-2-2.4l1.4-7a2 2 0 0 1 2-1.6H17"),
  copy: () => drawing("0 0 24 24", "M9 9h11v12H9z", "M15 9V4H4v12h5"),
  link: () => drawing("0 0 24 24", "M10 14a4.5 4.5 0 0 0 6.4 0l3.3-3.3a4.5 4.5 0 1 0-6.4-6.4L12 5.6", "M14 10a4.5 4.5 0 0 0-6.4 0l-3.3 3.3a4.5 4.5 0 1 0 6.4 6.4L12 18.4"),
};

/** A button that copies what `text()` returns and says so; null where the browser offers no clipboard. */
export function copyButton(label, text, icon = icons.copy) {
  if (!navigator.clipboard) return null;
  const said = element("span", {}, label);
  const button = element("button", { type: "button", class: "quiet" }, icon(), said);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
      said.textContent = "Copied";
    } catch {
      said.textContent = "Could not copy";
    }
    setTimeout(() => { said.textContent = label; }, 2000);
  });
  return button;
}

/** A table with its name. The roles are written out: some browsers forget them where a style makes a grid of a row. */
export function table(kind, name, heads, rows) {
  return element(
    "table",
    { class: kind, role: "table" },
    element("caption", { class: "visually-hidden" }, name),
    element("thead", { role: "rowgroup" }, tableRow({}, ...heads)),
    element("tbody", { role: "rowgroup" }, rows),
  );
}

export const tableRow = (attributes, ...cells) => element("tr", { ...attributes, role: "row" }, cells);

export const tableHead = (scope, ...content) =>
  element("th", { scope, role: scope === "col" ? "columnheader" : "rowheader" }, content);

export const tableCell = (attributes, ...content) => element("td", { ...attributes, role: "cell" }, content);

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) {
      node.setAttribute(name, value === true ? "" : String(value));
    }
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

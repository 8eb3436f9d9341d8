// A reply's text on the page: the common parts of Markdown, each made of text nodes and never of HTML.

import { copyButton, element } from "./dom.js";

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^\s`]*)/;
const HEADING = /^ {0,3}(#{1,6})\s+(.+?)\s*#*$/;
const ITEM = /^(\s*)(?:[-*+]|(\d{1,4})[.)])\s+(.*)$/;
const RULE = /^ {0,3}(?:-{3,}|\*{3,}|_{3,})\s*$/;
const INLINE = /(`+)(.+?)\1(?!`)|\*\*(\S(?:.*?\S)?)\*\*|(?<![\w*])\*([^\s*](?:[^*]*[^\s*])?)\*(?![\w*])/gs;

/** Shows a text that grows. Blocks that did not change keep their elements, and with them a selection. */
export class ReplyText {
  #shown = [];

  constructor() {
    this.node = element("div", { class: "prose" });
  }

  show(text) {
    const blocks = blocksOf(text);
    blocks.forEach((block, i) => {
      const shown = this.#shown[i];
      if (shown && same(shown.block, block)) return;
      if (shown && shown.block.kind === "code" && block.kind === "code" && shown.block.label === block.label) {
        shown.node.querySelector("code").textContent = block.text;
        shown.block = block;
        return;
      }
      const node = MAKERS[block.kind](block);
      if (shown) shown.node.replaceWith(node);
      else this.node.append(node);
      this.#shown[i] = { block, node };
    });
    for (const { node } of this.#shown.splice(blocks.length)) node.remove();
  }
}

/** Return the text's blocks: `{kind, text, label}`, `items` for lists, `rows` for tables. */
export function blocksOf(text) {
  const blocks = [];
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  let open = null;
  const begin = (block) => {
    open = block;
    blocks.push(block);
  };
  for (let i = 0; i < lines.length; i += 1) {
    const line = lines[i];
    const fence = FENCE.exec(line);
    const heading = HEADING.exec(line);
    const item = ITEM.exec(line);
    if (fence) {
      const inside = [];
      for (i += 1; i < lines.length && !closes(lines[i], fence[1]); i += 1) inside.push(lines[i]);
      begin({ kind: "code", label: fence[2], text: inside.join("\n").trimEnd() });
      open = null;
    } else if (line.trim() === "") {
      // An empty line ends a paragraph; a list may go on after it.
      if (open?.kind !== "list") open = null;
    } else if (heading) {
      begin({ kind: "heading", text: heading[2] });
      open = null;
    } else if (RULE.test(line)) {
      begin({ kind: "rule", text: "" });
      open = null;
    } else if (item) {
      if (open?.kind !== "list") begin({ kind: "list", items: [] });
      open.items.push({ depth: Math.min(3, Math.floor(item[1].length / 2)), number: item[2] ?? null, text: item[3] });
    } else if (/^\s*\|.*\|/.test(line)) {
      if (open?.kind !== "table") begin({ kind: "table", rows: [] });
      open.rows.push(cells(line));
    } else if (open?.kind === "list" && /^\s/.test(line)) {
      open.items.at(-1).text += `\n${line.trim()}`;
    } else if (open?.kind === "paragraph") {
      open.text += `\n${line}`;
    } else {
      begin({ kind: "paragraph", text: line });
    }
  }
  return blocks;
}

const closes = (line, fence) => {
  const end = line.trim();
  return end.length >= fence.length && end === fence[0].repeat(end.length);
};

const same = (a, b) => a.kind === b.kind && JSON.stringify(a) === JSON.stringify(b);

const MAKERS = {
  paragraph: ({ text }) => element("p", {}, inline(text)),
  heading: ({ text }) => element("h4", {}, inline(text)),
  rule: () => element("hr"),
  list: ({ items }) => element("ul", { class: "items", role: "list" }, items.map(listItem)),
  table: ({ rows }) => table(rows),
  code: ({ text, label }) => codeBlock(text, label),
};

const listItem = ({ depth, number, text }) =>
  element(
    "li",
    { class: `depth-${depth}` },
    element("span", { class: "marker", "aria-hidden": number ? null : "true" }, number ? `${number}.` : "–"),
    element("span", {}, inline(text)),
  );

// What scrolls sideways must be reachable by keyboard.
const scrolled = (name) => ({ tabindex: "0", role: "group", "aria-label": name });

const cells = (line) => line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));

function table([head, ...rest]) {
  const rows = rest.filter((row) => !row.every((cell) => /^:?-+:?$/.test(cell)));
  const row = (tag, texts) => element("tr", {}, texts.map((text) => element(tag, {}, inline(text))));
  return element(
    "div",
    { class: "table", ...scrolled("Table") },
    element("table", {}, element("thead", {}, row("th", head)), element("tbody", {}, rows.map((texts) => row("td", texts)))),
  );
}

function codeBlock(text, label) {
  const block = element("pre", scrolled(label ? `Code, ${label}` : "Code"), element("code", {}, text));
  const head = element(
    "figcaption",
    {},
    element("span", {}, label || "code"),
    copyButton("Copy", () => block.textContent),
  );
  return element("figure", { class: "code" }, head, block);
}

function inline(text) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    const [all, , code, strong, emphasis] = match;
    nodes.push(text.slice(from, match.index));
    if (code !== undefined) nodes.push(element("code", {}, code));
    else if (strong !== undefined) nodes.push(element("strong", {}, inline(strong)));
    else nodes.push(element("em", {}, emphasis));
    from = match.index + all.length;
  }
  nodes.push(text.slice(from));
  return nodes.filter((node) => node !== "");
}

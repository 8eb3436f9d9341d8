// Twelve prompts of different kinds: what a policy tells apart.

import { element } from "./dom.js";

const EXAMPLES = [
  ["Code", "Write a Python function that merges two sorted lists without calling sort, with type hints and one test."],
  ["Math", "Evaluate the integral of x² · eˣ from 0 to 1, showing each step."],
  ["Hard math", "Prove that there are infinitely many primes congruent to 1 modulo 4, and explain why Euclid's argument alone does not settle it."],
  ["Reasoning", "Ann is taller than Bob, Bob is taller than Cem, and Dee is shorter than Cem. Who is the shortest, and why?"],
  ["Story", "Write a short story about a lighthouse keeper who befriends a storm."],
  ["Translation", "Translate into French: Where is the nearest train station, and does the last train still run on Sundays?"],
  ["Extraction", "Extract every name, date and amount as JSON: On 3 May 2026 Maria Lopez paid Acme Ltd 1,240.50 euros, and Jon Berg paid 310 on 9 May."],
  ["Summary", "Summarize this in one sentence: The council met on Monday to discuss the bridge. After three hours it voted to repair it by spring, at a cost of two million."],
  ["Editing", "Fix the grammar: she dont has no idea where them books is"],
  ["Planning", "Plan a three-day trip to Lisbon with two small children."],
  ["Quick fact", "What is the capital of Australia?"],
  ["Español", "Explícame qué es la fotosíntesis como si tuviera diez años.", "es"],
];

/** Return the examples as a list of buttons; `choose(prompt)` is called with the one pressed. */
export function exampleList(choose) {
  const items = EXAMPLES.map(([kind, prompt, lang]) => {
    const chip = element(
      "button",
      { type: "button", class: "chip", onclick: () => choose(prompt) },
      element("span", { class: "chip-kind", lang }, kind),
      element("span", { class: "chip-prompt", lang }, prompt),
    );
    return element("li", {}, chip);
  });
  return element("ul", { class: "chips", role: "list" }, items);
}

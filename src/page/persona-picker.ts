import type { RequestType } from "../client/index.ts";
import { element, showText } from "./elements.ts";
import type { PagePersona } from "./page-config.ts";

export interface PersonaPicker {
  readonly root: HTMLElement;
  /** One choice for `chat`, several for `multi_chat`, nothing for `openai_chat`. */
  showFor(type: RequestType): void;
  /** The ids chosen, in the list's order, then those written by hand. */
  chosen(): string[];
  showProblem(problem: string): void;
}

/** Who answers: the server's personas, and a line for ids that are not among them. */
export function createPersonaPicker(personas: readonly PagePersona[]): PersonaPicker {
  const choices = personas.map((persona, index) => choiceOf(persona, index));
  const others = element("input", {
    id: "field-other-personas",
    type: "text",
    spellcheck: "false",
    autocomplete: "off",
    "aria-describedby": "field-personas-problem",
  });
  const othersLabel = element("label", { for: others.id });
  const name = element("code");
  const problem = element("p", { class: "problem", id: "field-personas-problem", hidden: true });
  const root = element(
    "fieldset",
    { class: "field", "aria-describedby": problem.id },
    element("legend", {}, "Who answers ", name),
    element("div", { class: "choices" }, ...choices.map((choice) => choice.root)),
    othersLabel,
    others,
    problem,
  );
  root.addEventListener("input", () => showText(problem, ""));

  return {
    root,
    showFor(type) {
      const several = type === "multi_chat";
      root.hidden = type === "openai_chat";
      name.textContent = several ? "persona_ids" : "persona_id";
      othersLabel.textContent = several ? "Further ids, separated by commas" : "Or another id";
      for (const { input } of choices) input.type = several ? "checkbox" : "radio";
      // Radio buttons of one name keep only one mark, so the marks of a list for several are set anew.
      for (const [index, { input }] of choices.entries()) input.checked = several ? index < 3 : index === 0;
    },
    chosen() {
      const written = others.value.split(",").map((id) => id.trim());
      const marked = choices.filter(({ input }) => input.checked).map(({ input }) => input.value);
      const single = choices[0]?.input.type === "radio" && written.some((id) => id !== "");
      return [...(single ? [] : marked), ...written].filter((id) => id !== "");
    },
    showProblem: (text) => showText(problem, text),
  };
}

function choiceOf(persona: PagePersona, index: number) {
  const input = element("input", { type: "radio", name: "persona", value: persona.id, checked: index === 0 });
  const words = element("span", {}, element("strong", {}, persona.name));
  if (persona.name !== persona.id) words.append(" ", element("code", {}, persona.id));
  if (persona.description !== "") words.append(element("span", { class: "hint" }, persona.description));
  return { input, root: element("label", {}, input, words) };
}

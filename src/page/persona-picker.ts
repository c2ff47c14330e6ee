import type { RequestType } from "../client/index.ts";
import { element, showText } from "./elements.ts";
import { exampleIds, type PagePersona } from "./page-config.ts";

interface PersonaPicker {
  readonly root: HTMLElement;
  /** One choice for `chat`, several for `multi_chat`, none for `openai_chat`. */
  showFor(type: RequestType): void;
  /** The chosen ids in the list's order, then the ids written by hand. */
  chosen(): string[];
  showProblem(problem: string): void;
}

/** Picks the personas that answer: a list of the server's personas, and a line for other ids. */
export function createPersonaPicker(personas: readonly PagePersona[]): PersonaPicker {
  const known = exampleIds.filter((id) => personas.some((persona) => persona.id === id));
  const usual = known.length > 0 ? known : personas.slice(0, 3).map((persona) => persona.id);
  const choices = personas.map(choiceOf);
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
    element("div", { class: "choices" }, ...choices.flatMap((choice) => choice.rows)),
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
      // Radio buttons of one name keep only one mark, so all marks are set again.
      const marked = several ? usual : usual.slice(0, 1);
      for (const { input } of choices) input.checked = marked.includes(input.value);
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

function choiceOf({ id, name, description }: PagePersona) {
  const input = element("input", { type: "radio", name: "persona", value: id });
  const label = element("label", {}, input, element("strong", {}, name));
  if (name !== id) label.append(element("code", {}, id));
  if (description === "") return { input, rows: [label] };
  const hint = element("p", { class: "hint", id: `persona-${id}` }, description);
  input.setAttribute("aria-describedby", hint.id);
  return { input, rows: [label, hint] };
}

import type { RequestType } from "../client/index.ts";
import { element, showText } from "./elements.ts";
import type { Field } from "./fields.ts";

/** The content of a field: nothing to send, a value, or text that cannot be sent at all. */
type FieldReading = { readonly value: unknown } | { readonly problem: string } | undefined;

export interface FieldView {
  readonly field: Field;
  readonly root: HTMLElement;
  readonly input: HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;
  /** Shows the field for the message types that have it. */
  showFor(type: RequestType): void;
  read(): FieldReading;
  /** Shows a problem beside the field; an empty text removes it. */
  showProblem(problem: string): void;
}

/** One field with its label, hint, problem and, if it has one, the button that fills it in. */
export function createFieldView(field: Field, fill: () => string): FieldView {
  const id = `field-${field.path.replaceAll(".", "-")}`;
  const input = createInput(field, id);
  const problem = element("p", { class: "problem", id: `${id}-problem`, hidden: true });
  const label = element("label", { for: id }, `${field.label} `, element("code", {}, field.path));
  const root = element("div", { class: field.kind === "flag" ? "field flag" : "field" });
  if (field.kind === "flag") root.append(input, label);
  else root.append(label, withFillButton(field, input, fill));
  if (field.hint !== undefined) root.append(element("p", { class: "hint", id: `${id}-hint` }, field.hint));
  root.append(problem);
  input.addEventListener("input", () => showProblem(""));

  function showProblem(text: string): void {
    showText(problem, text);
    input.setAttribute("aria-invalid", String(text !== ""));
  }

  return {
    field,
    root,
    input,
    showFor: (type) => {
      root.hidden = !field.types.includes(type);
    },
    read: () => readInput(field, input),
    showProblem,
  };
}

function createInput(field: Field, id: string): FieldView["input"] {
  const hints = field.hint === undefined ? `${id}-problem` : `${id}-hint ${id}-problem`;
  const common = { id, "aria-describedby": hints, placeholder: field.placeholder ?? false };
  const plain = { ...common, spellcheck: "false", autocomplete: "off" };
  switch (field.kind) {
    case "lines":
      return element("textarea", { ...common, rows: "3" }, field.initial ?? "");
    case "json":
      return element("textarea", { ...plain, rows: "3", class: "code" });
    case "choice": {
      const choices = (field.choices ?? []).map((choice) => element("option", { value: choice }, choice));
      return element("select", common, element("option", { value: "" }, "the server’s"), ...choices);
    }
    case "flag":
      return element("input", { ...common, type: "checkbox", checked: field.usual === true });
    default:
      return element("input", { ...plain, type: "text", list: field.list ?? false });
  }
}

function withFillButton(
  field: Field,
  input: HTMLElement & { value: string },
  fill: () => string,
): HTMLElement {
  if (field.fill === undefined) return input;
  const button = element("button", { type: "button", class: "quiet" }, field.fill);
  button.addEventListener("click", () => {
    input.value = fill();
    input.dispatchEvent(new Event("input"));
    input.focus();
  });
  return element("div", { class: "filled" }, input, button);
}

function readInput(field: Field, input: FieldView["input"]): FieldReading {
  if (input instanceof HTMLInputElement && field.kind === "flag") {
    return input.checked === field.usual ? undefined : { value: input.checked };
  }
  const text = input.value;
  if (field.kind === "lines") return { value: text };
  if (text.trim() === "") return undefined;
  if (field.kind === "number" && Number.isFinite(Number(text))) return { value: Number(text) };
  if (field.kind !== "json") return { value: text };
  try {
    return { value: JSON.parse(text) };
  } catch (cause) {
    return { problem: `This is not JSON: ${cause instanceof Error ? cause.message : String(cause)}` };
  }
}

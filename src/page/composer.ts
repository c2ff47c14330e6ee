import type { RequestType } from "../client/index.ts";
import { byId, element } from "./elements.ts";
import { createFieldView, type FieldView } from "./field-view.ts";
import { fields } from "./fields.ts";
import type { PageConfig } from "./page-config.ts";
import { createPersonaPicker } from "./persona-picker.ts";

/** A message from the form. Nothing in it was checked, except that its JSON is JSON. */
export interface ComposedRequest {
  readonly type: RequestType;
  readonly data: Readonly<Record<string, unknown>>;
  /** Whether it is sent with an `id`. */
  readonly named: boolean;
  readonly personaIds: readonly string[];
  readonly question: string;
}

interface ComposerOptions {
  readonly config: PageConfig;
  readonly onSend: (request: ComposedRequest) => void;
  /** The value that a field's button fills in. */
  readonly lastOf: (path: string) => string;
  readonly onFollow: (conversationId: string) => void;
}

interface Composer {
  /** Shows a problem beside the field at fault, e.g. `data.pacing.mode`; `false` if the form has no such field. */
  showProblem(field: string, problem: string): boolean;
  /** Fills in a field that is empty or holds an earlier suggestion. */
  suggest(path: string, value: string): void;
  /** The field for the next question. */
  questionField(): HTMLElement;
}

/** The form of the three messages. */
export function createComposer({ config, onSend, lastOf, onFollow }: ComposerOptions): Composer {
  const form = byId("request", HTMLFormElement);
  const personas = createPersonaPicker(config.personas);
  const views = fields.map((field) => createFieldView(field, () => lastOf(field.path)));
  const named = element("input", { type: "checkbox", id: "field-id", checked: true });
  const suggested = new Map<string, string>();
  const follow = element("button", { type: "button" }, "Follow this conversation");
  placeAll();
  showFor(typeOf(form));

  form.addEventListener("change", (event) => {
    if (event.target instanceof HTMLInputElement && event.target.name === "type") showFor(typeOf(form));
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const request = compose();
    if (request !== undefined) onSend(request);
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  follow.addEventListener("click", () => {
    const written = views.find((view) => view.field.path === "conversation_id")?.input.value.trim() ?? "";
    onFollow(written === "" ? lastOf("conversation_id") : written);
  });

  function placeAll(): void {
    const groups = {
      main: "main",
      model: "model",
      conversation: "conversation",
      advanced: "advanced",
    } as const;
    for (const group of Object.values(groups)) {
      const views_ = views.filter((view) => view.field.group === group);
      byId(`fields-${group}`, HTMLElement).append(...views_.map((view) => view.root));
    }
    byId("fields-main", HTMLElement).append(personas.root);
    byId("fields-conversation", HTMLElement).append(follow);
    const label = element(
      "label",
      { for: named.id },
      "Name the request, so that it can be resumed ",
      element("code", {}, "id"),
    );
    byId("fields-advanced", HTMLElement).prepend(element("div", { class: "field flag" }, named, label));
  }

  function showFor(type: RequestType): void {
    personas.showFor(type);
    for (const view of views) view.showFor(type);
    follow.hidden = type === "openai_chat";
  }

  function compose(): ComposedRequest | undefined {
    const type = typeOf(form);
    const data: Record<string, unknown> = {};
    const shown = views.filter((view) => view.field.types.includes(type));
    for (const view of shown) {
      const reading = view.read();
      view.showProblem("");
      if (reading === undefined) continue;
      if ("problem" in reading) {
        reveal(view, reading.problem);
        return undefined;
      }
      setAt(data, view.field.path.split("."), reading.value);
    }
    personas.showProblem("");
    const personaIds = type === "openai_chat" ? [] : personas.chosen();
    if (type === "chat") data.persona_id = personaIds[0] ?? "";
    if (type === "multi_chat") data.persona_ids = personaIds;
    const question = String(data.message ?? data.input_text ?? "");
    return {
      type,
      data,
      named: named.checked,
      personaIds: type === "chat" ? personaIds.slice(0, 1) : personaIds,
      question,
    };
  }

  return {
    showProblem(field, problem) {
      const path = field.replace(/^data\./, "");
      if (/^persona_ids?(\.|$)/.test(path)) {
        personas.showProblem(problem);
        return true;
      }
      const view = views.find(
        (candidate) => path === candidate.field.path || path.startsWith(`${candidate.field.path}.`),
      );
      if (view === undefined || view.root.hidden) return false;
      reveal(view, problem);
      return true;
    },
    suggest(path, value) {
      const input = views.find(({ field }) => field.path === path)?.input;
      if (input === undefined || (input.value !== "" && input.value !== suggested.get(path))) return;
      input.value = value;
      suggested.set(path, value);
    },
    questionField: () =>
      views.find(({ field, root }) => field.kind === "lines" && !root.hidden)?.input ?? form,
  };
}

function reveal(view: FieldView, problem: string): void {
  const folded = view.root.closest("details");
  if (folded !== null) folded.open = true;
  view.showProblem(problem);
  view.input.focus();
  view.root.scrollIntoView({ block: "center" });
}

function typeOf(form: HTMLFormElement): RequestType {
  const type = new FormData(form).get("type");
  return type === "multi_chat" || type === "openai_chat" ? type : "chat";
}

function setAt(target: Record<string, unknown>, [key = "", ...rest]: string[], value: unknown): void {
  if (rest.length === 0) {
    target[key] = value;
    return;
  }
  const inner = target[key] ?? {};
  target[key] = inner;
  setAt(inner as Record<string, unknown>, rest, value);
}

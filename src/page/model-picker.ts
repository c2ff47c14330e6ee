import { byId, element, showText } from "./elements.ts";
import { apisOf, modelsOf, noteOf, type PageEndpoint } from "./model-choices.ts";

interface ModelPickerOptions {
  /** The address of `GET /api/models`; `undefined` if the page may not read its answer. */
  readonly address: () => string | undefined;
  /** The key or the secret of the caller; empty if there is none. */
  readonly token: () => string;
}

interface ModelPicker {
  /** Asks the server for its endpoints and models, once for each address and token. */
  load(): void;
}

/** Suggests the server's endpoints and models in their fields. Without an answer the fields stay plain. */
export function createModelPicker({ address, token }: ModelPickerOptions): ModelPicker {
  const api = byId("field-api", HTMLInputElement);
  const note = element("p", { class: "hint", id: "models-note", hidden: true });
  const fields = byId("fields-model", HTMLElement);
  let endpoints: readonly PageEndpoint[] = [];
  let asked = "";
  fields.prepend(note);
  api.addEventListener("input", showModels);
  fields.closest("details")?.addEventListener("toggle", load);

  function showModels(): void {
    fill("models", modelsOf(endpoints, api.value.trim()));
  }

  function load(): void {
    const [url, key] = [address(), token()];
    if (url === undefined || asked === JSON.stringify([url, key])) return;
    asked = JSON.stringify([url, key]);
    void ask(url, key);
  }

  async function ask(url: string, key: string): Promise<void> {
    try {
      const response = await fetch(url, key === "" ? {} : { headers: { authorization: `Bearer ${key}` } });
      if (!response.ok) return;
      ({ endpoints } = (await response.json()) as { endpoints: readonly PageEndpoint[] });
      fill("apis", apisOf(endpoints));
      showModels();
      showText(note, noteOf(endpoints));
    } catch {
      // The connection panel tells of a server that is gone; the next opening asks again.
      asked = "";
    }
  }

  return { load };
}

function fill(id: string, choices: ReturnType<typeof modelsOf>): void {
  const options = choices.map(({ value, label }) => element("option", { value, label }));
  byId(id, HTMLElement).replaceChildren(...options);
}

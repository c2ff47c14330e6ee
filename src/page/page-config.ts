import { socketPath } from "./socket-path.ts";

export interface PagePersona {
  readonly id: string;
  readonly name: string;
  readonly description: string;
}

/** What the page knows of its server. */
export interface PageConfig {
  readonly url: string;
  readonly token: string;
  /** Whether the page was opened from disk, where a server asks for the token. */
  readonly fromDisk: boolean;
  /** Whether callers of this server need a key. */
  readonly needsKey: boolean;
  /** Whether callers are told apart by a secret that each makes itself. */
  readonly makesSecret: boolean;
  readonly personas: readonly PagePersona[];
  /** No model is configured: every answer is a demonstration. */
  readonly simulated: boolean;
  /** The model that answers where a request names none. */
  readonly model: string | undefined;
}

/** The ids of the specification's own examples: the choice at first. */
export const exampleIds = ["tech_enthusiast", "creative_writer", "data_scientist"];

/** Reads the JSON that the server writes into the page; `{}` stands there in a plain copy. */
export function readPageConfig(json: string, location: Location): PageConfig {
  const given = JSON.parse(json) as Partial<PageConfig & { readonly path: string }>;
  const fromDisk = location.protocol === "file:";
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  return {
    url:
      given.url ??
      (fromDisk
        ? "ws://localhost:8000/ws"
        : `${scheme}://${location.host}${socketPath(location.pathname, given.path ?? "/ws")}`),
    token: given.token ?? "",
    fromDisk,
    needsKey: given.needsKey ?? false,
    makesSecret: given.makesSecret ?? false,
    personas: given.personas ?? exampleIds.map((id) => ({ id, name: id, description: "" })),
    simulated: given.simulated ?? false,
    model: given.model,
  };
}

import { socketPath } from "./socket-path.ts";

export interface PagePersona {
  readonly id: string;
  readonly name: string;
  readonly description: string;
}

/** The page's knowledge of its server. */
export interface PageConfig {
  readonly url: string;
  readonly token: string;
  /** Whether the page was opened from disk; then a server asks for the token. */
  readonly fromDisk: boolean;
  /** Whether callers of this server need a key. */
  readonly needsKey: boolean;
  /** Whether callers are identified by a secret that each makes itself. */
  readonly makesSecret: boolean;
  readonly personas: readonly PagePersona[];
  /** No model is configured: every answer is a demonstration. */
  readonly simulated: boolean;
  /** The model that answers if a request names none. */
  readonly model: string | undefined;
}

/** The ids in the specification's examples: the initial choice. */
export const exampleIds = ["tech_enthusiast", "creative_writer", "data_scientist"];

/** Reads the JSON that the server writes into the page; a plain copy has `{}` there. */
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

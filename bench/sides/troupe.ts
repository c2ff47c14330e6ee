import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { root } from "../../scripts/repository.ts";
import { node, type Side } from "./side.ts";

/** The interval between two chunks: the maximum time that a chunk's oldest token waits for the rhythm. */
const intervalMs = 100;

export interface TroupeVariant {
  readonly name: string;
  readonly about: string;
  readonly pacing: "natural" | "fixed" | "raw";
  readonly store: "sqlite" | "memory";
  /** The API of the upstream. Default: the Responses API. */
  readonly kind?: "chat-completions" | "anthropic" | "gemini";
}

/** The name of the endpoint in a variant's config file. */
const endpoint = "bench";

/** The program that starts the server of a checkout. */
export function commandLineIn(folder: string): string {
  return join(folder, "bin", "troupe.js");
}

/** Writes a config file with one endpoint of this kind. */
async function configFile(kind: string, upstreamUrl: string, folder: string): Promise<string> {
  const file = join(folder, "troupe.json");
  const baseUrl = kind === "chat-completions" ? upstreamUrl : upstreamUrl.replace(/\/v1$/, "");
  const providers = { [endpoint]: { kind, baseUrl, key: "test-key", model: "model-of-the-benchmark" } };
  await writeFile(file, JSON.stringify({ providers }));
  return file;
}

/**
 * Troupe as the command line in `folder` starts it. The limits are raised so that only the machine limits it, and callers
 * have keys.
 */
export function troupe({ name, about, pacing, store, kind }: TroupeVariant, folder = root): Side {
  const commandLine = commandLineIn(folder);
  const key = "benchmark-key-of-one-caller";
  return {
    name,
    about,
    target: {
      wire: "websocket",
      path: "/ws",
      headers: { authorization: `Bearer ${key}` },
      question: JSON.stringify({
        type: "openai_chat",
        // Without this, the streams of one measurement would still run during the next.
        data: {
          input_text: "Tell me about streams.",
          on_disconnect: "cancel",
          ...(kind === undefined ? {} : { api: endpoint }),
        },
      }),
      rhythmMs: pacing === "raw" ? 0 : intervalMs,
    },
    program: async ({ upstreamUrl, folder, certificateFile, nodeFlags }) => ({
      command: node.command,
      args: [...node.flags, ...nodeFlags, commandLine, "--log-level", "warn"],
      environment: {
        PORT: "0",
        HOST: "127.0.0.1",
        ...(kind === undefined
          ? { OPENAI_API_KEY: "test-key", OPENAI_BASE_URL: upstreamUrl }
          : { TROUPE_CONFIG: await configFile(kind, upstreamUrl, folder) }),
        NODE_EXTRA_CA_CERTS: certificateFile,
        TROUPE_DATA: folder,
        TROUPE_STORE: store,
        TROUPE_PACING: pacing,
        TROUPE_API_KEYS: `bench=${key}`,
        TROUPE_MAX_CONNECTIONS: "100000",
        TROUPE_MAX_CONNECTIONS_PER_KEY: "100000",
        TROUPE_MAX_REQUESTS: "100000",
        TROUPE_MAX_REQUESTS_PER_OWNER: "100000",
      },
      readyLine: /listens on ws:\/\/[^:]+:(\d+)/,
    }),
  };
}

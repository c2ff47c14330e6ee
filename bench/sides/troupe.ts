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
}

/** The program that starts the server of a checkout. */
export function commandLineIn(folder: string): string {
  return join(folder, "bin", "troupe.js");
}

/**
 * Troupe as the command line in `folder` starts it. The limits are raised so that only the machine limits it, and callers
 * have keys.
 */
export function troupe({ name, about, pacing, store }: TroupeVariant, folder = root): Side {
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
        data: { input_text: "Tell me about streams.", on_disconnect: "cancel" },
      }),
      rhythmMs: pacing === "raw" ? 0 : intervalMs,
    },
    program: async ({ upstreamUrl, folder, certificateFile, nodeFlags }) => ({
      command: node.command,
      args: [...node.flags, ...nodeFlags, commandLine, "--log-level", "warn"],
      environment: {
        PORT: "0",
        HOST: "127.0.0.1",
        OPENAI_API_KEY: "test-key",
        OPENAI_BASE_URL: upstreamUrl,
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

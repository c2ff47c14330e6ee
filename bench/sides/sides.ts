import { fastapi } from "./fastapi.ts";
import { nginx } from "./nginx.ts";
import { nodeProgram, packageVersion } from "./node-program.ts";
import { apiQuestion, type Side } from "./side.ts";
import { type TroupeVariant, troupe } from "./troupe.ts";

const variants: readonly TroupeVariant[] = [
  {
    name: "troupe",
    about: "Troupe with its defaults: natural rhythm, journal in SQLite",
    pacing: "natural",
    store: "sqlite",
  },
  {
    name: "troupe-memory",
    about: "Troupe, natural rhythm, everything in memory",
    pacing: "natural",
    store: "memory",
  },
  {
    name: "troupe-fixed",
    about: "Troupe, fixed rhythm, journal in SQLite",
    pacing: "fixed",
    store: "sqlite",
  },
  {
    name: "troupe-raw",
    about: "Troupe, every token at once, journal in SQLite",
    pacing: "raw",
    store: "sqlite",
  },
  ...(
    [
      ["chat-completions", "Chat Completions"],
      ["anthropic", "the Messages API of Anthropic"],
      ["gemini", "the Gemini API"],
    ] as const
  ).map(
    ([kind, api]): TroupeVariant => ({
      name: `troupe-${kind}`,
      about: `Troupe with its defaults, over ${api}`,
      ...{ pacing: "natural", store: "sqlite", kind },
    }),
  ),
];

/** All sides, in the order of the tables. */
export const sides: readonly Side[] = [
  ...variants.map((variant) => troupe(variant)),
  nginx,
  nodeProgram({
    name: "node-relay",
    about: "node:http and ws, one frame every 0.1 s, written only for this comparison",
    file: "node-relay.ts",
    target: { rhythmMs: 100 },
  }),
  nodeProgram({
    name: "openai-sdk-ws",
    about: `${packageVersion("openai")} and ${packageVersion("ws")}, one frame per token`,
    file: "openai-sdk-ws.ts",
  }),
  nodeProgram({
    name: "openai-sdk-socket.io",
    about: `${packageVersion("openai")} and ${packageVersion("socket.io")}, one event per token`,
    file: "openai-sdk-socket-io.ts",
    target: {
      wire: "socket.io",
      path: "/socket.io/?EIO=4&transport=websocket",
      question: `42["ask",${apiQuestion}]`,
    },
  }),
  nodeProgram({
    name: "ai-sdk-ws",
    about: `${packageVersion("ai")}, ${packageVersion("@ai-sdk/openai")} and ${packageVersion("ws")}, one frame per token`,
    file: "ai-sdk-ws.ts",
  }),
  fastapi,
];

const beforeName = (name: string) => `${name}-before`;

/** The side of another checkout that stands beside a side of this one. */
export function findBefore<Figures extends { readonly side: Side | undefined }>(
  all: readonly Figures[],
  { side }: Figures,
): Figures | undefined {
  return all.find((other) => side !== undefined && other.side?.name === beforeName(side.name));
}

/** Adds after each Troupe the same Troupe of the checkout in `folder`. */
export function withBefore(chosen: readonly Side[], folder: string): Side[] {
  return chosen.flatMap((side) => {
    const variant = variants.find(({ name }) => name === side.name);
    if (variant === undefined) return [side];
    const before = {
      ...variant,
      name: beforeName(variant.name),
      about: `${variant.about}; from ${folder}`,
    };
    return [side, troupe(before, folder)];
  });
}

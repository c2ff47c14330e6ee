import { fastapi } from "./fastapi.ts";
import { nginx } from "./nginx.ts";
import { nodeProgram, packageVersion } from "./node-program.ts";
import { apiQuestion, type Side } from "./side.ts";
import { troupe } from "./troupe.ts";

/** All sides, in the order of the tables. */
export const sides: readonly Side[] = [
  troupe({
    name: "troupe",
    about: "Troupe with its defaults: natural rhythm, journal in SQLite",
    pacing: "natural",
    store: "sqlite",
  }),
  troupe({
    name: "troupe-memory",
    about: "Troupe, natural rhythm, everything in memory",
    pacing: "natural",
    store: "memory",
  }),
  troupe({
    name: "troupe-fixed",
    about: "Troupe, fixed rhythm, journal in SQLite",
    pacing: "fixed",
    store: "sqlite",
  }),
  troupe({
    name: "troupe-raw",
    about: "Troupe, every token at once, journal in SQLite",
    pacing: "raw",
    store: "sqlite",
  }),
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

import { once } from "node:events";
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import { WebSocket } from "ws";
import { startTroupe } from "../support/start-troupe.ts";
import { connect } from "../support/wire-client.ts";
import { createClosingUpstream } from "./closing-upstream.ts";

/** Runs in its own process: many requests at once must not crash a process of 256 MiB. Prints a line of JSON. */
const text = "words ".repeat(200_000).slice(0, 1_000_000);
const everybody = [
  ...["teacher", "skeptic", "historian", "creative_writer"],
  ...["data_scientist", "security_engineer", "product_manager", "tech_enthusiast"],
];
const attacks: Readonly<
  Record<string, { readonly sockets: number; readonly frames: number; readonly message: object }>
> = {
  "8 personas": {
    sockets: 1,
    frames: 29,
    message: {
      type: "multi_chat",
      data: { message: text, persona_ids: everybody, model: "silent", conversation_id: "new" },
    },
  },
  "waiting frames": {
    sockets: 3,
    frames: 128,
    message: { type: "openai_chat", data: { input_text: text, model: "silent" } },
  },
};

const attack = attacks[process.argv[2] ?? ""];
if (attack === undefined) throw new Error("There is no such attack.");
await using upstream = await createClosingUpstream();
await using server = await startTroupe({ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl });
const codes = new Map<string, number>();
const isNamed = attack.sockets === 1;
let most = 0;
for (let opened = 0; opened < attack.sockets; opened += 1) {
  const socket = new WebSocket(server.url, { perMessageDeflate: false });
  await once(socket, "open");
  let answered = 0;
  socket.on("message", (data) => {
    const message = JSON.parse(String(data));
    if (message.type === "error") codes.set(message.code, (codes.get(message.code) ?? 0) + 1);
    if (message.type === "pong") answered += 1;
  });
  for (let sent = 0; sent < attack.frames; sent += 1) {
    socket.send(JSON.stringify({ ...attack.message, ...(isNamed ? { id: `r-${sent}` } : {}) }));
    socket.send(JSON.stringify({ type: "ping" }));
    while (answered <= sent) await nextLoopTurn();
    most = Math.max(most, process.memoryUsage().heapUsed);
  }
}
const asking = await connect(server.url);
asking.send({ type: "ping", id: "alive" });
await asking.next(({ type }) => type === "pong");
console.log(JSON.stringify({ codes: Object.fromEntries(codes), maxMegabytes: Math.round(most / 1e6) }));
process.exit(0);

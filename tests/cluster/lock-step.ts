import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { answer } from "../doubles/answer.ts";
import { createGate, type Script } from "../doubles/script.ts";
import { streamScript } from "../doubles/stream-script.ts";
import type { WireClient } from "../support/wire-client.ts";

/** Sixteen tokens, by the rule of four bytes per token. */
const sixteenTokens = "sixteen letters ".repeat(4);

export type RequestEnd = ServerMessage & { type: "response" | "error" };

/**
 * Answers that all grow in step: each sends its next sixteen tokens once every running answer has been shown all its
 * earlier ones. They reach their limits in the same moment, however fast the machine is, and no packet holds more than
 * sixteen tokens.
 */
export function createLockStep(maxRounds: number) {
  const gates = Array.from({ length: maxRounds }, createGate);
  const events = answer({ deltas: [sixteenTokens] });
  const at = events.findIndex((event) => event.includes("output_text.delta"));
  const delta = streamScript([events[at] ?? ""]).slice(1);
  const script: Script = [
    ...streamScript(events.slice(0, at)),
    ...gates.flatMap(({ opened }) => [{ waitFor: opened }, ...delta]),
    { hang: true },
  ];

  /**
   * Runs all requests of these clients to their ends, and returns the ends. `onRound` is called before each round, and may close clients,
   * whose requests then have no ends.
   */
  async function run(
    asked: ReadonlyMap<WireClient, readonly string[]>,
    onRound?: (round: number) => unknown,
  ): Promise<RequestEnd[]> {
    const ends: RequestEnd[] = [];
    const shown = new Map([...asked.values()].flat().map((id) => [id, 0]));
    let passed = Promise.withResolvers<void>();
    let round = 0;

    function note(message: ServerMessage): void {
      if (message.type === "chunk") {
        const length = shown.get(message.request_id);
        if (length !== undefined) shown.set(message.request_id, length + message.chunk.length);
      }
      if (message.type !== "response" && message.type !== "error") return;
      const replied = message.type === "error" ? message.in_reply_to?.id : undefined;
      if (shown.delete(message.request_id ?? replied ?? "")) ends.push(message);
    }
    async function read(client: WireClient, ids: readonly string[]): Promise<void> {
      while (ids.some((id) => shown.has(id))) {
        const message = await client.next().catch((closed: unknown) => {
          if (onRound === undefined) throw closed;
        });
        if (message === undefined) {
          for (const id of ids) shown.delete(id);
          return;
        }
        note(message);
        if ([...shown.values()].every((length) => length >= round * sixteenTokens.length)) passed.resolve();
      }
    }

    const reading = Promise.all([...asked].map(([client, ids]) => read(client, ids)));
    while (shown.size > 0) {
      const gate = gates[round];
      if (gate === undefined) throw new Error(`${shown.size} requests ran on.`);
      await onRound?.(round);
      gate.open();
      round += 1;
      passed = Promise.withResolvers();
      await Promise.race([passed.promise, reading]);
    }
    await reading;
    return ends;
  }

  return { script, run };
}

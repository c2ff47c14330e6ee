import { z } from "zod";

const turn = z.int();
const incarnation = z.int();

/**
 * The messages between nodes. Each may be lost: a row of the database or a later message has the same effect, only later. Turns are named by
 * their numbers.
 */
const message = z.discriminatedUnion("type", [
  /** The sender has stored events of these turns up to these numbers. */
  z.object({ type: z.literal("heads"), heads: z.array(z.tuple([turn, z.int()])) }),
  /** The same with the rows themselves, in their order: turn, first number, last number, version, and the steps as they are stored. */
  z.object({
    type: z.literal("rows"),
    rows: z.array(z.tuple([turn, z.int(), z.int(), z.int(), z.string()])),
  }),
  /** The sender follows these turns, said again every second. */
  z.object({ type: z.literal("watch"), turns: z.array(turn) }),
  z.object({ type: z.literal("unwatch"), turns: z.array(turn) }),
  /** A client of the sender stops a turn, or the lanes of one persona. The row says the same. */
  z.object({
    type: z.literal("cancel"),
    turn,
    personaId: z.string().nullable(),
    call: z.int(),
  }),
  /** The answer to a `cancel` of the node `to`, with the code of a refusal. */
  z.object({
    type: z.literal("cancelled"),
    to: incarnation,
    call: z.int(),
    refusal: z.enum(["persona_not_found", "request_ended"]).nullable(),
  }),
  /** A turn has begun in a conversation. */
  z.object({ type: z.literal("began"), turn, conversationId: z.string() }),
  /** The sender has let turns go. */
  z.object({ type: z.literal("left") }),
  /** A key was revoked. */
  z.object({ type: z.literal("revoked"), keyId: z.string() }),
  /**
   * The sender listens to itself, to learn whether its connection still hears anything. By `NOTIFY` it tells whether it hears Redis (absent:
   * it has none), and the key of its messages there.
   */
  z.object({ type: z.literal("probe"), hearsRedis: z.boolean().optional(), key: z.string().optional() }),
]);

export type NodeMessage = z.infer<typeof message>;
export type SentRow = Extract<NodeMessage, { type: "rows" }>["rows"][number];

/** `key`: only in a message through Redis; absent if an earlier release sent it. */
const envelope = z.object({ from: incarnation, key: z.string().optional(), message });

/** Numbers of turns in one message, so that no message is too long. */
const maxTurns = 200;
/** Characters of steps in one message of rows, before its last row. */
const maxStepChars = 16_384;

/** Encodes a message, in several ones if it lists many turns; none if it has more than `maxBytes`. */
export function encodeMessage(from: number, sent: NodeMessage, maxBytes: number, key?: string): string[] {
  const payloads = inParts(sent).map((part) => JSON.stringify({ from, key, message: part }));
  return payloads.filter((payload) => Buffer.byteLength(payload) <= maxBytes);
}

function inParts(sent: NodeMessage): NodeMessage[] {
  if (sent.type === "heads") return lotsOf(sent.heads).map((heads) => ({ ...sent, heads }));
  if (sent.type === "rows") return lotsOfRows(sent.rows).map((rows) => ({ ...sent, rows }));
  if (sent.type === "watch" || sent.type === "unwatch")
    return lotsOf(sent.turns).map((turns) => ({ ...sent, turns }));
  return [sent];
}

function lotsOf<Item>(items: readonly Item[]): Item[][] {
  const lots: Item[][] = [];
  for (let start = 0; start < items.length; start += maxTurns)
    lots.push(items.slice(start, start + maxTurns));
  return lots;
}

function lotsOfRows(rows: readonly SentRow[]): SentRow[][] {
  const lots: SentRow[][] = [];
  let chars = maxStepChars;
  for (const row of rows) {
    if (chars >= maxStepChars) {
      lots.push([]);
      chars = 0;
    }
    lots.at(-1)?.push(row);
    chars += row[4].length;
  }
  return lots;
}

/** Reads a message; `undefined` if it is of another version, or of another program. */
export function decodeMessage(payload: string): z.infer<typeof envelope> | undefined {
  try {
    return envelope.safeParse(JSON.parse(payload)).data;
  } catch {
    return undefined;
  }
}

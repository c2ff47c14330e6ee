import type { Worker } from "node:cluster";
import { z } from "zod";
import type { Clock } from "../../../ports/clock.ts";
import { decodeError, encodeStored } from "../../../ports/stored-turn.ts";
import { TroupeError } from "../../../protocol/errors.ts";

/** A call of a port on the other side, or its answer. */
const frame = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("ask"),
    call: z.int(),
    port: z.string(),
    method: z.string(),
    values: z.array(z.unknown()),
  }),
  z.object({ type: z.literal("answer"), call: z.int(), value: z.unknown() }),
  z.object({ type: z.literal("refusal"), call: z.int(), error: z.string() }),
]);
/** The part of a broken frame that tells which call it is about. */
const brokenFrame = z.object({ type: z.enum(["ask", "answer", "refusal"]), call: z.int() });
/** One message with all frames since the message before; the line may carry messages of other kinds. */
const letter = z.object({ troupe: z.array(z.unknown()) });

type Frame = z.output<typeof frame>;

/** Runs one method of a served port. The other side gets the error that it throws or rejects with. */
export type Handler = (method: string, values: readonly unknown[]) => unknown;

/** Calls between two processes, in both directions. Everything arrives in the order in which it was sent. */
export interface Channel {
  /**
   * Calls a method on the other side and settles as it does; rejects if the line ends first. `canWait` messages are batched, or sent with
   * the next urgent one.
   */
  ask(port: string, method: string, values: readonly unknown[], canWait?: boolean): Promise<unknown>;
  /** Answers the other side's calls of a port from now on. Call it once per port, before the other side asks. */
  serve(port: string, handler: Handler): void;
  /** Aborts when the other process is gone. */
  readonly ended: AbortSignal;
}

interface ChannelOptions {
  readonly line: Line;
  readonly clock: Clock;
  /** How long messages that can wait are gathered. */
  readonly gatherMs: number;
  /** Sends nothing before the other side has: a new process loses messages that come before it listens. Default false. */
  readonly speaksSecond?: boolean;
}

export function createChannel({ line, clock, gatherMs, speaksSecond = false }: ChannelOptions): Channel {
  const calls = new Map<number, PromiseWithResolvers<unknown>>();
  const handlers = new Map<string, Handler>();
  const ended = new AbortController();
  let lastCall = 0;
  let gathered: Frame[] = [];
  let isUrgent = false;
  let isWaiting = false;
  let maySpeak = !speaksSecond;

  function flush(): void {
    isUrgent = false;
    if (gathered.length === 0 || !maySpeak) return;
    line.send({ troupe: gathered });
    gathered = [];
  }

  function say(said: Frame, canWait: boolean): void {
    if (ended.signal.aborted) return;
    gathered.push(said);
    if (!canWait) {
      // Other messages of this turn of the event loop go with it.
      if (!isUrgent) setImmediate(flush);
      isUrgent = true;
    } else if (!isWaiting) {
      isWaiting = true;
      void clock.sleep(gatherMs, ended.signal).then(() => {
        isWaiting = false;
        flush();
      });
    }
  }

  async function carryOut({ call, port, method, values }: Extract<Frame, { type: "ask" }>): Promise<void> {
    try {
      const handler = handlers.get(port);
      if (handler === undefined) throw new Error(`nobody serves ${port}`);
      say({ type: "answer", call, value: await handler(method, values) }, false);
    } catch (thrown) {
      say({ type: "refusal", call, error: encodeRefusal(thrown) }, false);
    }
  }

  /** Ends the call that a frame with a fault is about. */
  function refuse(received: unknown): void {
    const broken = brokenFrame.safeParse(received);
    if (!broken.success) return;
    const { type, call } = broken.data;
    const fault = new Error("The other process sent a message that cannot be read.");
    if (type === "ask") say({ type: "refusal", call, error: encodeRefusal(fault) }, false);
    else {
      calls.get(call)?.reject(fault);
      calls.delete(call);
    }
  }

  function receive(received: Frame): void {
    if (received.type === "ask") return void carryOut(received);
    const settled = calls.get(received.call);
    calls.delete(received.call);
    if (received.type === "answer") settled?.resolve(received.value);
    else settled?.reject(decodeRefusal(received.error));
  }

  line.onMessage((message) => {
    const read = letter.safeParse(message);
    if (!read.success) return;
    if (!maySpeak) setImmediate(flush);
    maySpeak = true;
    for (const received of read.data.troupe) {
      const known = frame.safeParse(received);
      if (known.success) receive(known.data);
      else refuse(received);
    }
  });
  line.onEnd(() => {
    ended.abort();
    gathered = [];
    for (const { reject } of calls.values()) reject(gone());
    calls.clear();
  });

  return {
    ended: ended.signal,
    ask(port, method, values, canWait = false) {
      if (ended.signal.aborted) return Promise.reject(gone());
      lastCall += 1;
      const settled = Promise.withResolvers<unknown>();
      calls.set(lastCall, settled);
      say({ type: "ask", call: lastCall, port, method, values: [...values] }, canWait);
      return settled.promise;
    },
    serve(port, handler) {
      handlers.set(port, handler);
    },
  };
}

function gone(): Error {
  return new Error("The other process is gone.");
}

const plain = z.object({ name: z.string(), message: z.string() });

/** Encodes an error: a `TroupeError` with all that a client may read, any other error by its name and message. */
function encodeRefusal(thrown: unknown): string {
  if (thrown instanceof TroupeError) return encodeStored(thrown);
  if (!(thrown instanceof Error)) return JSON.stringify({ name: "Error", message: String(thrown) });
  return JSON.stringify({ name: thrown.name, message: thrown.message });
}

function decodeRefusal(text: string): Error {
  try {
    const other = plain.safeParse(JSON.parse(text));
    if (!other.success) return decodeError(text);
    const { name, message } = other.data;
    return Object.assign(new Error(message), { name });
  } catch (cause) {
    return new Error("The other process refused with an error that cannot be read.", { cause });
  }
}

/**
 * A line to another process.
 *
 * Contract: as long as the line holds, each message arrives once, in order and as a copy. When it has ended, `onEnd` is called once, and
 * later messages are lost.
 */
export interface Line {
  send(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  onEnd(listener: () => void): void;
}

/** The line between the processes of a cluster: from the primary to a worker, or from a worker's own process to the primary. */
export function processLine(end: Worker | NodeJS.Process): Line {
  // A failed `send` needs no report, because the line ends as well.
  const ignoreEnd = () => undefined;
  return {
    send: (message) => void end.send?.(message as object, undefined, undefined, ignoreEnd),
    onMessage: (listener) => void end.on("message", listener),
    onEnd: (listener) => void end.once("disconnect", listener),
  };
}

import { toStringMethod } from "fast-check";
import { closeCodeOf, type Frame } from "./frame.ts";
import { openFrameClient } from "./frame-client.ts";
import { createLedger } from "./ledger.ts";

/** The server that frames are sent to. */
export interface FrameTarget {
  readonly url: string;
  /** Ids of existing requests that clients named; grows with every exchange. */
  readonly known: Set<string>;
  /**
   * Requests of earlier exchanges may be gone: data in memory is kept for 15 minutes, and the clock passes them in a few thousand frames.
   * Default: none is.
   */
  readonly forgets?: boolean;
  /** Number of running turns. */
  turns(): number;
  /** The faults inside the server since the last call. */
  takeFaults(): readonly string[];
  /**
   * Number of round trips without a message after which a missing message counts as lost (default 100,000). It is that
   * high because a request that is about to start waits for its digest, which another thread computes.
   */
  readonly patienceRoundTrips?: number;
}

/** The counts of an exchange. */
export interface Tally {
  refused: number;
  closed: number;
  accepted: number;
}

/**
 * Sends the frames over one connection; each frame that must end a connection gets its own. Throws unless every frame is
 * answered by the protocol. Each refused frame gets exactly one reply, in order. Each request gets messages without a
 * gap, up to its one end.
 */
export async function exchange(frames: readonly Frame[], target: FrameTarget): Promise<Tally> {
  try {
    const tally = await sendAll(frames, target);
    const faults = target.takeFaults();
    if (faults.length > 0) throw new Error(`inside the server: ${faults.join("\n")}`);
    return tally;
  } catch (error) {
    const faults = target.takeFaults();
    if (faults.length === 0) throw error;
    throw new Error(`${error}\ninside the server: ${faults.join("\n")}`);
  }
}

async function sendAll(frames: readonly Frame[], target: FrameTarget): Promise<Tally> {
  const closing = frames.filter((frame) => closeCodeOf(frame) !== undefined);
  const answered = frames.filter((frame) => closeCodeOf(frame) === undefined);
  using client = await openFrameClient(target.url);
  for (const frame of closing) await expectClose(frame, target.url);

  const { patienceRoundTrips = 100_000 } = target;
  const ledger = createLedger(answered, target.known, target.forgets);
  for (const frame of answered) client.send(frame);
  await client.roundTrip("fence");
  let read = 0;
  const readAll = () => {
    for (; read < client.replies.length; read += 1) ledger.accept(client.replies[read] ?? "");
  };
  readAll();
  ledger.closeOrder();
  const missing = () =>
    ledger.missing() ?? (target.turns() > 0 ? `the end of ${target.turns()} turns` : undefined);
  for (let idle = 0, trip = 0; missing() !== undefined; trip += 1) {
    const before = client.replies.length;
    await client.roundTrip(`trip-${trip}`);
    idle = client.replies.length === before + 1 ? idle + 1 : 0;
    readAll();
    if (idle > patienceRoundTrips) throw new Error(`never came: ${missing()}`);
  }
  const refused = ledger.refusals();
  return { refused, closed: closing.length, accepted: answered.length - refused };
}

async function expectClose(frame: Frame, url: string): Promise<void> {
  using client = await openFrameClient(url);
  client.send(frame);
  const code = await Promise.race([client.closed, client.roundTrip("still-open").then(() => undefined)]);
  if (code !== closeCodeOf(frame)) {
    throw new Error(`closed with ${code}, not ${closeCodeOf(frame)}, after ${frame[toStringMethod]()}`);
  }
  if (client.replies.length > 0) throw new Error(`answered before it closed: ${client.replies[0]}`);
}

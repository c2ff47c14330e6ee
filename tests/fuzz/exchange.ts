import {
  answers,
  type Expectation,
  expectationOf,
  isAsk,
  isLateRefusal,
  mayBeSilent,
} from "./expectation.ts";
import { closeCodeOf, type Frame } from "./frame.ts";
import { type FrameClient, openFrameClient } from "./frame-client.ts";
import { readReply } from "./read-reply.ts";
import { createStreams } from "./streams.ts";

/** The server that frames are sent to. */
export interface FrameTarget {
  readonly url: string;
  /** Ids of the requests that clients named and that exist; grows with every exchange. */
  readonly known: Set<string>;
  /** How many turns run now. */
  turns(): number;
}

/** What a number of frames came to. */
export interface Tally {
  refused: number;
  closed: number;
  accepted: number;
}

/**
 * Round trips in which nothing comes and nothing runs, after which what is missing will not come. So many, because a request that
 * is about to start waits for its digest, which is computed on another thread.
 */
const patienceRoundTrips = 3_000;

/**
 * Sends the frames over one connection, those that must end a connection over one of their own each, and throws unless every
 * one is answered as the protocol says: each refused frame by exactly one reply, in order; each request by messages without a gap up
 * to its one end.
 */
export async function exchange(frames: readonly Frame[], target: FrameTarget): Promise<Tally> {
  const closing = frames.filter((frame) => closeCodeOf(frame) !== undefined);
  const answered = frames.filter((frame) => closeCodeOf(frame) === undefined);
  using client = await openFrameClient(target.url);
  for (const frame of closing) await expectClose(frame, target.url);

  const expectations = answered.map(expectationOf);
  const ledger = createLedger(expectations, target.known);
  for (const frame of answered) client.send(frame);
  await client.roundTrip("fence");
  let read = 0;
  const readAll = () => {
    for (; read < client.replies.length; read += 1) ledger.accept(client.replies[read] ?? "");
  };
  readAll();
  ledger.closeOrder();
  for (let idle = 0, trip = 0; ledger.missing() !== undefined; trip += 1) {
    const before = client.replies.length;
    await client.roundTrip(`trip-${trip}`);
    idle = client.replies.length === before + 1 && target.turns() === 0 ? idle + 1 : 0;
    readAll();
    if (idle > patienceRoundTrips) throw new Error(`never came: ${ledger.missing()}`);
  }
  const refused = expectations.filter(({ type }) => type === "refusal").length + ledger.refusals();
  return { refused, closed: closing.length, accepted: answered.length - refused };
}

async function expectClose(frame: Frame, url: string): Promise<void> {
  using client: FrameClient = await openFrameClient(url);
  client.send(frame);
  const code = await client.closed;
  if (code !== closeCodeOf(frame)) throw new Error(`closed with ${code}, not ${closeCodeOf(frame)}`);
  if (client.replies.length > 0) throw new Error(`answered before it closed: ${client.replies[0]}`);
}

/** Compares replies with what was expected, in the order in which they come. */
function createLedger(expectations: readonly Expectation[], known: Set<string>) {
  const streams = createStreams();
  const silent: Expectation[] = [];
  const asked = new Set<string>();
  let place = 0;
  let fenced = false;
  let unnamed = 0;
  let refusedLate = 0;
  let refused = 0;
  let resumed = 0;

  for (const expectation of expectations) {
    if (expectation.type !== "message") continue;
    const { message } = expectation;
    if (isAsk(message) && message.id === undefined) unnamed += 1;
    if (isAsk(message) && message.id !== undefined) {
      asked.add(message.id);
      known.add(message.id);
    }
    if (message.type === "resume") {
      asked.add(message.data.request_id);
      streams.mayStartAt(message.data.request_id, message.data.after_seq + 1);
    }
  }

  /** Passes over the frames that may be answered by what they started, up to the one that this reply belongs to. */
  function direct(text: string): void {
    const reply = readReply(text);
    for (; place < expectations.length; place += 1) {
      const expectation = expectations[place];
      if (expectation === undefined) break;
      if (answers(reply, expectation)) {
        if (reply.type === "error" && expectation.type === "message") refused += 1;
        place += 1;
        return;
      }
      if (!mayBeSilent(expectation, (id) => known.has(id))) break;
      silent.push(expectation);
    }
    if (reply.type === "pong" && reply.id === "fence" && place === expectations.length && !fenced) {
      fenced = true;
      return;
    }
    if (reply.type === "pong" && reply.id?.startsWith("trip-") && fenced) return;
    throw new Error(`frame ${place}, ${JSON.stringify(expectations[place])}, was answered with ${text}`);
  }

  /** Requests that were started without an id, which the server has named. */
  const startedUnnamed = () => streams.ids().filter((id) => !asked.has(id)).length;

  return {
    accept(text: string): void {
      const reply = readReply(text);
      if (isLateRefusal(reply)) refusedLate += 1;
      else if (reply.type === "resumed") resumed += 1;
      if (reply.type === "pong" || reply.type === "following") direct(text);
      else if (reply.type === "error" && reply.seq === undefined && !isLateRefusal(reply)) direct(text);
      else streams.accept(reply);
    },
    /** After the fence no direct answer may be missing. */
    closeOrder(): void {
      if (!fenced) throw new Error("the fence was not answered");
    },
    /** What is still to come, if anything. */
    missing(): string | undefined {
      const unstarted = silent.find(
        (one) =>
          one.type === "message" && isAsk(one.message) && !!one.message.id && !streams.has(one.message.id),
      );
      if (unstarted !== undefined) return `an answer to ${JSON.stringify(unstarted)}`;
      const resumes = silent.filter((one) => one.type === "message" && one.message.type === "resume").length;
      if (resumed < resumes) return `${resumes - resumed} resumed`;
      const unended = streams.unended();
      if (unended !== undefined) return `the end of ${unended}`;
      const late = unnamed - refusedLate - startedUnnamed();
      if (late < 0) throw new Error(`${-late} answers more than requests without an id`);
      return late > 0 ? `${late} answers to requests without an id` : undefined;
    },
    /** Messages that could be read and were refused all the same. */
    refusals: () => refused + refusedLate,
  };
}

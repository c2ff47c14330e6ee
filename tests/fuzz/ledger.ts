import { toStringMethod } from "fast-check";
import {
  answers,
  type Expectation,
  expectationOf,
  isAsk,
  isLateRefusal,
  mayBeSilent,
} from "./expectation.ts";
import type { Frame } from "./frame.ts";
import { readReply } from "./read-reply.ts";
import { createStreams } from "./streams.ts";

const directTypes: ReadonlySet<string> = new Set(["pong", "following", "unfollowed", "cancelling"]);

/**
 * Compares replies with the required answers of the frames, in the order in which they arrive. `known` holds the ids of
 * existing requests; ids named by the frames are added. `forgets`: see `FrameTarget`.
 */
export function createLedger(frames: readonly Frame[], known: Set<string>, forgets = false) {
  const expectations = frames.map(expectationOf);
  const streams = createStreams();
  const silent: Expectation[] = [];
  const asked = new Set<string>();
  /** Requests of these frames, which are too new to be forgotten. */
  const started = new Set<string>();
  const isKnown = (requestId: string) => known.has(requestId);
  const mayBeForgotten = (requestId: string) => forgets && !started.has(requestId);
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
      started.add(message.id);
      known.add(message.id);
    }
    if (message.type === "resume") {
      asked.add(message.data.request_id);
      streams.mayStartAt(message.data.request_id, message.data.after_seq + 1);
    }
  }

  /** Finds the frame that this reply answers. Skips frames that may have no direct answer. */
  function direct(text: string): void {
    const reply = readReply(text);
    for (; place < expectations.length; place += 1) {
      const expectation = expectations[place];
      if (expectation === undefined) break;
      if (answers(reply, expectation, isKnown, mayBeForgotten)) {
        if (reply.type === "error") refused += 1;
        place += 1;
        return;
      }
      if (!mayBeSilent(expectation, isKnown)) break;
      silent.push(expectation);
    }
    if (reply.type === "pong" && reply.id === "fence" && place === expectations.length && !fenced) {
      fenced = true;
      return;
    }
    if (reply.type === "pong" && reply.id?.startsWith("trip-") && fenced) return;
    throw new Error(
      `frame ${place}, ${frames[place]?.[toStringMethod]() ?? "none"}, was answered with ${text}`,
    );
  }

  /** Requests that were started without an id; the server chose their ids. */
  const startedUnnamed = () => streams.ids().filter((id) => !asked.has(id)).length;

  return {
    accept(text: string): void {
      const reply = readReply(text);
      if (isLateRefusal(reply)) refusedLate += 1;
      if (reply.type === "resumed") resumed += 1;
      if (directTypes.has(reply.type)) direct(text);
      else if (reply.type === "error" && reply.seq === undefined && !isLateRefusal(reply)) direct(text);
      else streams.accept(reply);
    },
    /** After the fence no direct answer may be missing. */
    closeOrder(): void {
      if (!fenced) throw new Error("the fence was not answered");
    },
    /** Describes a message that has not arrived yet, if there is one. */
    missing(): string | undefined {
      const unstarted = silent.find(
        (one) =>
          one.type === "message" && isAsk(one.message) && !!one.message.id && !streams.has(one.message.id),
      );
      if (unstarted !== undefined) return `an answer to ${JSON.stringify(unstarted)}`;
      const resumes = silent.filter((one) => one.type === "message" && one.message.type === "resume").length;
      if (resumed > resumes) throw new Error(`${resumed - resumes} more resumed than asked for`);
      if (resumed < resumes) return `${resumes - resumed} resumed`;
      const unended = streams.unended();
      if (unended !== undefined) return `the end of ${unended}`;
      const late = unnamed - refusedLate - startedUnnamed();
      if (late < 0) throw new Error(`${-late} answers more than requests without an id`);
      return late > 0 ? `${late} answers to requests without an id` : undefined;
    },
    /** Number of refused frames. */
    refusals: () => refused + refusedLate,
  };
}

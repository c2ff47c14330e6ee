import { setImmediate as nextImmediate, setTimeout as sleep } from "node:timers/promises";
import { aborted, type Connection } from "./connection.ts";
import type { Step } from "./script.ts";

/**
 * How a script ended. `answered` leaves the connection open for the next call, and `ended` sent FIN after a whole body.
 * `cut` broke the connection on purpose, and `abandoned` means that the client left.
 */
export type Ending = "answered" | "ended" | "cut" | "abandoned";

export type Progress = "next" | Exclude<Ending, "answered">;

/** The steps that each way of answering plays itself. */
export type OwnStep = Extract<
  Step,
  { head: unknown } | { write: unknown } | { writeRaw: unknown } | { end: unknown }
>;

/** A script that is being played. */
export interface Playing {
  readonly connection: Connection;
  ignoresAbort: boolean;
}

/** Plays steps one after the other. `playOwn` plays the steps that send something or end the answer in order. */
export async function playSteps<Kind extends Playing>(
  steps: readonly Step[],
  playing: Kind,
  playOwn: (step: OwnStep, playing: Kind) => Promise<Progress>,
): Promise<Progress> {
  for (const step of steps) {
    if (goneSignal(playing).aborted) return "abandoned";
    const progress = await playStep(step, playing, playOwn);
    if (progress !== "next") return progress;
  }
  return "next";
}

async function playStep<Kind extends Playing>(
  step: Step,
  playing: Kind,
  playOwn: (step: OwnStep, playing: Kind) => Promise<Progress>,
): Promise<Progress> {
  if ("waitFor" in step)
    return wait(typeof step.waitFor === "function" ? step.waitFor() : step.waitFor, playing);
  if ("delayMs" in step) return delay(step.delayMs, playing);
  if ("repeat" in step) {
    for (;;) {
      const progress = await playSteps(step.repeat, playing, playOwn);
      if (progress !== "next") return progress;
    }
  }
  if ("ignoreAbort" in step) {
    playing.ignoresAbort = true;
    return "next";
  }
  if ("hang" in step) {
    await aborted(goneSignal(playing));
    return "abandoned";
  }
  if ("reset" in step) playing.connection.reset();
  else if ("fin" in step) playing.connection.end();
  else return playOwn(step, playing);
  return "cut";
}

/**
 * Aborts when the script has no reader left: when the client leaves or, if the script ignores that, when the socket is
 * closed.
 */
function goneSignal({ connection, ignoresAbort }: Playing): AbortSignal {
  return ignoresAbort ? connection.closed : connection.clientGone;
}

/**
 * Lets the event loop poll its sockets once. It takes two immediates, because one that is set while polling runs before
 * the next poll. Without it, a reader in this process would get several writes as one piece.
 */
export async function passLoopTurn(): Promise<void> {
  await nextImmediate();
  await nextImmediate();
}

async function wait(promise: PromiseLike<unknown>, playing: Playing): Promise<Progress> {
  const signal = goneSignal(playing);
  const { promise: left, resolve: leave } = Promise.withResolvers<void>();
  const onAbort = (): void => leave();
  signal.addEventListener("abort", onAbort);
  try {
    await Promise.race([promise, left]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
  return signal.aborted ? "abandoned" : "next";
}

async function delay(delayMs: number, playing: Playing): Promise<Progress> {
  const signal = goneSignal(playing);
  try {
    await sleep(delayMs, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return signal.aborted ? "abandoned" : "next";
}

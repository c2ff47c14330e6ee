import { setTimeout as sleep } from "node:timers/promises";
import { memoryBytesOf } from "../machine/process-tree.ts";
import { answerFlow, answerMs } from "../measures/answers.ts";
import { addStreams } from "../measures/streams.ts";
import { type Plan, upstreamsOf } from "../plan.ts";
import type { Rig, RunningSide } from "../rig.ts";
import type { Side } from "../sides/side.ts";

/** A side with new processes that have served for a while, so that V8 has compiled their hot code. */
export interface WarmSide extends AsyncDisposable {
  readonly plain: RunningSide;
  /** Asks the double over TLS; left out if no measurement needs it. */
  readonly secure?: RunningSide;
  /** Memory that one more stream takes; left out if the plan does not measure it. */
  readonly streamBytes?: number;
}

const endlessFlow = { tokensPerSecond: 25, eventsPerPacket: 1 };
const warmUpAnswers = 200;
const warmUpStreams = 300;
/** Within this time both ends have cleaned up after a closed connection. */
const closingMs = 300;

/** Starts a side and warms it up. Without `side`, the client asks the double itself, which needs no warm-up. */
export async function startWarm(rig: Rig, side: Side | undefined, plan: Plan): Promise<WarmSide> {
  await using starting = new AsyncDisposableStack();
  const start = async (isSecure: boolean) =>
    starting.use(await rig.start(side, { flow: answerFlow, isSecure }));
  const plain = await start(false);
  const needsSecure = side !== undefined && upstreamsOf(plan, side.name).some(({ isSecure }) => isSecure);
  const secure = needsSecure ? await start(true) : undefined;
  const streamBytes = side === undefined ? undefined : await warmUp(rig, { plain, secure }, plan);
  const started = starting.move();
  return {
    plain,
    ...(secure === undefined ? {} : { secure }),
    ...(streamBytes === undefined ? {} : { streamBytes }),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

/** Returns the memory that one more stream takes, if the plan measures it. */
async function warmUp(
  rig: Rig,
  { plain, secure }: { plain: RunningSide; secure: RunningSide | undefined },
  { memoryStreams, warmUpMs }: Plan,
): Promise<number | undefined> {
  // Whole answers first: they run the code that ends an answer, which the endless streams never reach.
  await addStreams(rig, plain, warmUpAnswers);
  await sleep(answerMs);
  await rig.client.ask("closeAll");
  await sleep(closingMs);
  const idleBytes = memoryBytesOf(plain.pid ?? 0);
  await rig.upstream.ask("flow", endlessFlow);
  if (secure !== undefined) await addStreams(rig, secure, warmUpStreams);
  const streams = memoryStreams ?? warmUpStreams;
  await addStreams(rig, plain, streams);
  await sleep(warmUpMs);
  const streamBytes = (memoryBytesOf(plain.pid ?? 0) - idleBytes) / streams;
  await rig.client.ask("closeAll");
  return memoryStreams === undefined ? undefined : streamBytes;
}

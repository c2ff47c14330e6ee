import type { RoundFigures, SideFigures } from "../figures.ts";
import { measureAnswers } from "../measures/answers.ts";
import { measureTokens } from "../measures/tokens.ts";
import type { WindowFigures } from "../measures/window.ts";
import { type Plan, type Upstream, upstreamsOf } from "../plan.ts";
import type { Rig } from "../rig.ts";
import type { Side } from "../sides/side.ts";
import { orderOfRound } from "./round-order.ts";
import { startWarm, type WarmSide } from "./warm-side.ts";

/** A side with the figures of the rounds so far. */
interface Entry {
  readonly side: Side | undefined;
  missing?: string;
  readonly rounds: RoundFigures[];
}

/** A side in a round, with the figures of the round so far. */
interface Turn {
  readonly entry: Entry;
  readonly warm: WarmSide;
  readonly upstreams: Map<string, WindowFigures>;
  answers?: WindowFigures;
}

/**
 * Measures the sides in rounds. Each round measures every side once with each load before it goes on to the next load, so
 * that a slow minute of the machine slows all sides alike. A side that fails is reported, and the others go on.
 */
export async function measureRounds(
  rig: Rig,
  sides: readonly (Side | undefined)[],
  plan: Plan,
): Promise<SideFigures[]> {
  const entries = sides.map((side): Entry => {
    const missing = side?.missing?.();
    return { side, rounds: [], ...(missing === undefined ? {} : { missing }) };
  });
  for (let round = 0; round < plan.rounds; round += 1) {
    const startedAt = performance.now();
    await measureRound(rig, orderOfRound(entries, round), plan);
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
    console.log(`round ${round + 1} of ${plan.rounds}: ${seconds} s`);
  }
  return entries.map(({ side, missing, rounds }) => {
    if (missing === undefined) return { side, rounds };
    console.log(`${side?.name ?? "the double"}: ${missing}`);
    return { side, missing, rounds: [] };
  });
}

/** Every round starts new processes: the compiled code and the heap of one process are partly luck. */
async function measureRound(rig: Rig, entries: readonly Entry[], plan: Plan): Promise<void> {
  await using processes = new AsyncDisposableStack();
  const turns: Turn[] = [];
  const attempt = async (entry: Entry, work: () => Promise<unknown>): Promise<void> => {
    if (entry.missing !== undefined) return;
    try {
      await work();
    } catch (error) {
      entry.missing = error instanceof Error ? error.message : String(error);
      await rig.client.ask("closeAll");
    }
  };
  for (const entry of entries) {
    await attempt(entry, async () => {
      const warm = processes.use(await startWarm(rig, entry.side, plan));
      turns.push({ entry, warm, upstreams: new Map() });
    });
  }
  for (const upstream of plan.upstreams) {
    for (const turn of turns) await attempt(turn.entry, () => takeTokens(rig, turn, upstream, plan));
  }
  for (const turn of turns) {
    await attempt(turn.entry, async () => {
      turn.answers = await measureAnswers(rig, turn.warm.plain, plan.windowMs);
    });
  }
  for (const { entry, warm, upstreams, answers } of turns) {
    entry.rounds.push({
      upstreams,
      ...(answers === undefined ? {} : { answers }),
      ...(warm.streamBytes === undefined ? {} : { streamBytes: warm.streamBytes }),
    });
  }
}

async function takeTokens(rig: Rig, turn: Turn, upstream: Upstream, plan: Plan): Promise<void> {
  const { entry, warm, upstreams } = turn;
  // The double has no process of its own to measure: only the time of its first chunks is used.
  if (entry.side === undefined || !upstreamsOf(plan, entry.side.name).includes(upstream)) return;
  const running = upstream.isSecure ? warm.secure : warm.plain;
  if (running !== undefined) upstreams.set(upstream.name, await measureTokens(rig, running, upstream, plan));
}

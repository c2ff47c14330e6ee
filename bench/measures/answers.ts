import type { Rig, RunningSide } from "../rig.ts";
import { type WindowFigures, watchWindow } from "./window.ts";

/** Each answer lasts one second. */
export const answerFlow = { tokensPerSecond: 25, eventsPerPacket: 1, tokensPerAnswer: 25 };
/** After this time an answer has ended, including the delay that a rhythm adds. */
export const answerMs = 1_400;
const answersPerSecond = 200;

/**
 * Starts a fixed number of short answers a second for `windowMs`, each on a connection that was open before. The figures
 * run until the last answer has ended, so they hold whole answers only.
 */
export async function measureAnswers(
  rig: Rig,
  running: RunningSide,
  windowMs: number,
): Promise<WindowFigures> {
  const { client, upstream } = rig;
  await upstream.ask("flow", answerFlow);
  const count = Math.max(1, Math.round((answersPerSecond * windowMs) / 1_000));
  await client.ask("connect", running.target, count);
  const figures = await watchWindow(rig, running, windowMs + answerMs, () =>
    client.ask("ask", count, windowMs),
  );
  await client.ask("closeAll");
  return figures;
}

import { getHeapStatistics } from "node:v8";
import { bytesOfRequest } from "../chat/request-bytes.ts";
import { wireLimits } from "../protocol/limits.ts";
import type { Settings } from "./settings.ts";

/** How much the requests that wait or run may hold, in bytes. */
export interface RequestMemory {
  readonly perConnection: number;
  readonly perOwner: number;
  readonly inAll: number;
}

/** The share of the heap that requests get unless the settings say otherwise: logs, conversations and V8's garbage need the rest. */
const heapShare = 1 / 4;

/** What the settings say, and for what they leave out what the heap of this process has room for. */
export function requestMemory(
  settings: Pick<Settings, "maxRequestBytes" | "maxRequestBytesPerOwner" | "maxRequestBytesPerConnection">,
  heapBytes = getHeapStatistics().heap_size_limit,
): RequestMemory {
  const inAll = settings.maxRequestBytes ?? Math.max(Math.floor(heapBytes * heapShare), largestRequest());
  return {
    inAll,
    perOwner: settings.maxRequestBytesPerOwner ?? Math.floor(inAll / 2),
    perConnection: settings.maxRequestBytesPerConnection ?? Math.floor(inAll / 4),
  };
}

/** What the largest request holds that fits into a message: all personas are asked, and one letter takes two bytes of every letter. */
function largestRequest(): number {
  const message = `\u0100${"x".repeat(wireLimits.textChars - 1)}`;
  const personaIds = Array.from({ length: wireLimits.personas }, String);
  const pacing = { mode: "raw", chunkChars: 1, intervalMs: 0, maxLagMs: 0 } as const;
  return bytesOfRequest({ kind: "personas", showText: true, api: "", message, personaIds, pacing }).total;
}

import { getHeapStatistics } from "node:v8";
import { bytesOfRequest } from "../chat/prepare-reply.ts";
import { textMessage } from "../ports/item.ts";
import { wireLimits } from "../protocol/limits.ts";
import type { Settings } from "./settings.ts";

/** Maximum bytes that waiting and running requests may hold. */
export interface RequestMemory {
  readonly perConnection: number;
  readonly perOwner: number;
  readonly inAll: number;
}

/** The default share of the heap for requests: logs, conversations and V8's garbage need the rest. */
const heapShare = 1 / 4;

/** The limits of the settings; those left out are computed from the heap size of this process. */
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

/**
 * The memory of the largest request that fits into a message: it asks all personas, and one letter makes V8 use two bytes for every
 * letter.
 */
function largestRequest(): number {
  const message = `\u0100${"x".repeat(wireLimits.textChars - 1)}`;
  const personaIds = Array.from({ length: wireLimits.personas }, String);
  const pacing = { mode: "raw", chunkChars: 1, intervalMs: 0, maxLagMs: 0 } as const;
  const input = [textMessage("user", message)];
  return bytesOfRequest({ kind: "personas", showText: true, api: "", input, personaIds, pacing }).total;
}

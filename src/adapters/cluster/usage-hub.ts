import { z } from "zod";
import { type BegunCall, estimatedUsage, type UsageStore } from "../../ports/usage-store.ts";
import type { Channel } from "./channel.ts";
import { type Methods, remotePort } from "./remote-port.ts";
import { tell } from "./tell.ts";

type Method = (...values: never[]) => unknown;
/** The usage of all processes, in the one that keeps it. */
export type UsageHub = {
  readonly [M in keyof UsageStore]: UsageStore[M] extends Method
    ? (...values: Parameters<UsageStore[M]>) => Promise<Awaited<ReturnType<UsageStore[M]>>>
    : never;
};

const text = z.string();
const count = z.int().min(0);
const day = z.int();

const begunCall = z.object({
  id: text,
  owner: text,
  keyId: text,
  requestId: text.exactOptional(),
  lane: text.exactOptional(),
  api: text,
  model: text,
  day,
  isBegun: z.boolean(),
  atMs: z.number(),
  inputTokens: count,
  outputTokens: count,
});
const end = z.object({
  usage: z.object({ inputTokens: count, outputTokens: count, totalTokens: count, estimated: z.boolean() }),
  outcome: z.enum(["completed", "cancelled", "failed", "interrupted", "budget"]),
  day,
});

export const usageHubMethods: Methods<UsageHub> = {
  begin: z.tuple([begunCall]),
  extend: z.tuple([text, count]),
  end: z.tuple([text, end]),
  takeUp: z.tuple([day]),
  sums: z.tuple([text, day, day]),
};

/** The usage of one process; what it leaves open when it is `gone` ends as it was reserved. */
export function createUsageHub(usage: UsageStore, gone: AbortSignal): UsageHub {
  const open = new Map<string, BegunCall>();

  function endLeft(): void {
    for (const { id, day, inputTokens, outputTokens } of open.values())
      usage.end(id, { usage: estimatedUsage(inputTokens, outputTokens), outcome: "interrupted", day });
    open.clear();
  }
  gone.addEventListener("abort", endLeft, { once: true });

  return {
    async begin(call) {
      open.set(call.id, call);
      usage.begin(call);
    },
    async extend(id, outputTokens) {
      const call = open.get(id);
      if (call !== undefined) open.set(id, { ...call, outputTokens });
      usage.extend(id, outputTokens);
    },
    async end(id, how) {
      open.delete(id);
      usage.end(id, how);
    },
    takeUp: usage.takeUp,
    sums: usage.sums,
  };
}

/** What was used, told to the process that keeps it; in order with what is appended to logs. */
export function createRemoteUsage(channel: Channel, onFault: (fault: unknown) => void): UsageStore {
  const hub = remotePort<UsageHub>(channel, "usage", usageHubMethods);
  const say = (said: Promise<void>) => tell(said, channel.ended, onFault);
  return {
    begin: (call) => say(hub.begin(call)),
    extend: (id, outputTokens) => say(hub.extend(id, outputTokens)),
    end: (id, how) => say(hub.end(id, how)),
    takeUp: hub.takeUp,
    sums: hub.sums,
  };
}

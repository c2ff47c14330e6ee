import type { StartsPlan } from "./measures/starts.ts";
import type { StreamsPlan } from "./measures/streams.ts";

/** A kind of upstream, with one number of streams. */
export interface Upstream {
  readonly name: string;
  readonly plan: StreamsPlan;
}

/** The measurements that a run takes of each side. */
export interface Plan {
  /** Growing numbers of streams; left out of a quick run. */
  readonly growth?: StreamsPlan;
  readonly starts: StartsPlan;
  /** The first upstream is measured for every side, the others only for the sides in `sidesOfUpstreams`. */
  readonly upstreams: readonly Upstream[];
  readonly sidesOfUpstreams: readonly string[];
  readonly hasSearch: boolean;
  readonly hasIdleSockets: boolean;
}

const levels = [300];
const plain = { flow: { tokensPerSecond: 25, eventsPerPacket: 1 }, isSecure: false };
const atLevel = (plan: Omit<StreamsPlan, "levels" | "settleMs" | "windowMs">): StreamsPlan => ({
  levels,
  settleMs: 6_000,
  windowMs: 6_000,
  ...plan,
});

const usual: Upstream = { name: "25 tokens/s, one a packet", plan: atLevel(plain) };

export const quickPlan: Plan = {
  starts: { startsPerSecond: 200, windowMs: 3_000 },
  upstreams: [usual],
  sidesOfUpstreams: [],
  hasSearch: false,
  hasIdleSockets: false,
};

export const fullPlan: Plan = {
  growth: {
    flow: { tokensPerSecond: 30, eventsPerPacket: 1 },
    isSecure: false,
    levels: [1, 100, 500, 1_000, 2_000],
    settleMs: 3_000,
    windowMs: 5_000,
  },
  starts: { startsPerSecond: 200, windowMs: 8_000 },
  upstreams: [
    usual,
    {
      name: "80 tokens/s, one a packet, 500 streams",
      plan: {
        ...atLevel({ flow: { tokensPerSecond: 80, eventsPerPacket: 1 }, isSecure: false }),
        levels: [500],
      },
    },
    {
      name: "30 tokens/s, five a packet",
      plan: atLevel({ flow: { tokensPerSecond: 30, eventsPerPacket: 5 }, isSecure: false }),
    },
    { name: "25 tokens/s over TLS", plan: atLevel({ ...plain, isSecure: true }) },
  ],
  sidesOfUpstreams: ["troupe", "troupe-raw", "nginx", "node-relay", "openai-sdk-ws", "fastapi"],
  hasSearch: true,
  hasIdleSockets: true,
};

/** The sides of a quick run if none are named. */
export const quickSides = ["troupe", "troupe-memory", "troupe-raw", "nginx", "node-relay", "openai-sdk-ws"];

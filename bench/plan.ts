import type { StreamsPlan } from "./measures/streams.ts";
import type { BenchOptions } from "./options.ts";
import type { Flow } from "./upstream/token-wheel.ts";

/** A kind of upstream, with one number of streams. */
export interface Upstream {
  readonly name: string;
  readonly flow: Flow;
  readonly isSecure: boolean;
  readonly streams: number;
}

/** The measurements that a run takes of each side. */
export interface Plan {
  readonly rounds: number;
  /** Length of each measured window. */
  readonly windowMs: number;
  /** How long streams run before their window. */
  readonly settleMs: number;
  /** How long the streams of the warm-up run. */
  readonly warmUpMs: number;
  /** The first upstream is measured for every side, the others for the sides in `sidesOfUpstreams`. */
  readonly upstreams: readonly Upstream[];
  /** Left out: every side. */
  readonly sidesOfUpstreams?: readonly string[];
  /** Number of streams at which a stream's memory is measured in every round; left out: it is not. */
  readonly memoryStreams?: number;
  /** The limits of each side, measured once after the rounds. */
  readonly limits?: LimitsPlan;
  /** The sides if none are named; left out: all. */
  readonly sides?: readonly string[];
}

export interface LimitsPlan {
  /** Growing numbers of streams. */
  readonly growth: StreamsPlan;
}

const usual: Upstream = {
  name: "25 tokens/s, one a packet",
  flow: { tokensPerSecond: 25, eventsPerPacket: 1 },
  isSecure: false,
  streams: 300,
};
const secure: Upstream = { ...usual, name: "25 tokens/s over TLS", isSecure: true };

const quickTimes = { rounds: 3, windowMs: 2_000, settleMs: 1_000, warmUpMs: 1_500 };
const fullTimes = { rounds: 5, windowMs: 4_000, settleMs: 3_000, warmUpMs: 6_000 };

const quickPlan: Plan = {
  ...quickTimes,
  upstreams: [usual],
  sides: ["troupe", "troupe-memory", "nginx", "node-relay", "openai-sdk-ws"],
};

const fullPlan: Plan = {
  ...fullTimes,
  upstreams: [
    usual,
    {
      name: "80 tokens/s, one a packet, 500 streams",
      flow: { tokensPerSecond: 80, eventsPerPacket: 1 },
      isSecure: false,
      streams: 500,
    },
    { ...usual, name: "30 tokens/s, five a packet", flow: { tokensPerSecond: 30, eventsPerPacket: 5 } },
    secure,
  ],
  sidesOfUpstreams: ["troupe", "troupe-raw", "nginx", "node-relay", "openai-sdk-ws", "fastapi"],
  limits: {
    growth: {
      flow: { tokensPerSecond: 30, eventsPerPacket: 1 },
      isSecure: false,
      levels: [1, 100, 500, 1_000, 2_000],
      settleMs: 3_000,
      windowMs: 5_000,
    },
  },
};

/** Compares two checkouts. */
const comparison = { upstreams: [usual, secure], sides: ["troupe", "troupe-memory", "nginx"] };
const quickComparison: Plan = { ...quickTimes, ...comparison, memoryStreams: 500 };
const fullComparison: Plan = { ...fullTimes, ...comparison, memoryStreams: 1_000 };

export function createPlan({ isQuick, before, rounds, windowMs }: BenchOptions): Plan {
  const plan =
    before === undefined ? (isQuick ? quickPlan : fullPlan) : isQuick ? quickComparison : fullComparison;
  return { ...plan, rounds: rounds ?? plan.rounds, windowMs: windowMs ?? plan.windowMs };
}

/** The upstreams that a side is measured with. */
export function upstreamsOf({ upstreams, sidesOfUpstreams }: Plan, sideName: string): readonly Upstream[] {
  return sidesOfUpstreams?.includes(sideName) === false ? upstreams.slice(0, 1) : upstreams;
}

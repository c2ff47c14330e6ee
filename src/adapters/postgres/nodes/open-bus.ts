import { randomBytes } from "node:crypto";
import { type Bus, type BusOptions, silentMs } from "./bus.ts";
import type { NodeMessage } from "./messages.ts";
import { openNotifyBus } from "./notify-bus.ts";
import { openRedisBus, type RedisPlace } from "./redis-bus.ts";

interface NodeBusOptions extends Omit<BusOptions, "probe"> {
  /** The database. */
  readonly url: string;
  /** Absent: `NOTIFY` alone. */
  readonly redis?: RedisPlace;
  /** Between 0 and 1. */
  readonly random: () => number;
  /** Called with the cause when Redis cannot be used, once until it works again, and without one when it works. */
  readonly onRedis: (cause: Error | undefined) => void;
}

/** The bus of a node. */
export interface NodeBus extends Bus {
  /** Whether a node hears Redis, as far as this one knows; `undefined` if it does not use any. */
  hearsRedis(incarnation: number): boolean | undefined;
  /** Whether messages may bring rows. Those of `NOTIFY` are too small. */
  readonly carriesRows: boolean;
}

/** A node that no probe through Redis came from for this time uses another Redis, milliseconds. */
const strangeMs = 10_000;
/** Maximum nodes that are remembered. */
const maxNodes = 1_000;

/** The last probes of another node, as times of this one's clock. */
interface Probes {
  byNotifyMs: number;
  byRedisMs: number;
  hearsRedis: boolean | undefined;
  /** The key of its messages through Redis; `undefined` if it is of an earlier release. */
  key: string | undefined;
}

/**
 * Opens the bus of a node. With Redis, each message goes through one of the two: through Redis if this node and all others hear it, else by
 * `NOTIFY`. So a node that has lost Redis still hears the others, and no message comes twice.
 */
export function openBus({ url, redis: place, random, onRedis, ...options }: NodeBusOptions): NodeBus {
  const { clock, incarnation, onMessage } = options;
  if (place === undefined) {
    const notify = openNotifyBus({ ...options, url });
    return Object.assign(notify, { hearsRedis: () => undefined, carriesRows: false });
  }
  // A copy of the database may share the Redis and its channel. Only the nodes of this database hear this by `NOTIFY`.
  const key = randomBytes(8).toString("hex");
  const nodes = new Map<number, Probes>();

  function probesOf(from: number): Probes {
    let known = nodes.get(from);
    if (known === undefined) {
      const [oldest] = nodes.keys();
      if (nodes.size >= maxNodes && oldest !== undefined) nodes.delete(oldest);
      known = {
        byNotifyMs: Number.NEGATIVE_INFINITY,
        byRedisMs: Number.NEGATIVE_INFINITY,
        hearsRedis: undefined,
        key: undefined,
      };
      nodes.set(from, known);
    }
    return known;
  }

  const notify = openNotifyBus({
    ...options,
    url,
    probe: () => ({ type: "probe", hearsRedis: redis.isHeard, key }),
    onMessage(message, from) {
      if (message.type === "probe") {
        const { hearsRedis, key } = message;
        Object.assign(probesOf(from), { byNotifyMs: clock.now(), hearsRedis, key });
      }
      onMessage(message, from);
    },
  });
  const redis = openRedisBus({
    ...options,
    ...place,
    ...{ random, key },
    isOwn(from, theirs) {
      const known = nodes.get(from);
      if (known?.key !== undefined) return known.key === theirs;
      // Without `NOTIFY`, nodes cannot learn each other's keys, and an earlier release has none.
      return !notify.isHeard || (known !== undefined && theirs === undefined);
    },
    onMessage(message, from) {
      if (message.type === "probe") probesOf(from).byRedisMs = clock.now();
      onMessage(message, from);
    },
    onChange(cause) {
      // The others must not go on to send through Redis for another second.
      notify.send({ type: "probe", hearsRedis: cause === undefined, key });
      onRedis(cause);
    },
  });

  /** Whether all nodes hear Redis. A node that is silent everywhere has died, or polls. */
  function isHeardByAll(): boolean {
    if (!redis.isHeard) return false;
    const nowMs = clock.now();
    for (const [from, { byNotifyMs, byRedisMs, hearsRedis }] of nodes) {
      if (nowMs - Math.max(byNotifyMs, byRedisMs) > strangeMs) nodes.delete(from);
      else if (nowMs - byNotifyMs > silentMs) continue;
      else if (hearsRedis !== true || nowMs - byRedisMs > strangeMs) return false;
    }
    return true;
  }

  return {
    send: (message: NodeMessage, to?: number) => (isHeardByAll() ? redis : notify).send(message, to),
    get carriesRows() {
      return isHeardByAll();
    },
    get isHeard() {
      return redis.isHeard || notify.isHeard;
    },
    hearsRedis: (of) => (of === incarnation ? redis.isHeard : nodes.get(of)?.hearsRedis === true),
    async [Symbol.asyncDispose]() {
      await Promise.all([redis[Symbol.asyncDispose](), notify[Symbol.asyncDispose]()]);
    },
  };
}

import { type Bus, type BusOptions, probeMs, silentMs } from "./bus.ts";
import { decodeMessage, encodeMessage, type NodeMessage } from "./messages.ts";
import { openRedisClient, type RedisClient } from "./redis-client.ts";

/** The place of the messages in a Redis. */
export interface RedisPlace {
  /** `redis://` or `rediss://` (TLS). Other nodes may reach the same Redis by another URL. */
  readonly url: string;
  /** The same for all nodes of one database, and different for those of every other. */
  readonly channel: string;
}

interface RedisBusOptions extends BusOptions, RedisPlace {
  /** Stands in each message of this node. Default: none. */
  readonly key?: string;
  /** Whether a message with this key is really of this node of the same database. Default: always. */
  readonly isOwn?: (from: number, key: string | undefined) => boolean;
  /** Between 0 and 1, so that the nodes do not all come back at the same moment. */
  readonly random: () => number;
  /** Called with the cause when Redis cannot be used, once until it works again, and without one when it works. */
  readonly onChange: (cause: Error | undefined) => void;
}

/** The bound of a payload, bytes. A larger row is read from the database. */
const maxBytes = 131_072;
/** Messages that Redis has not taken yet, bytes; further ones are lost. */
const maxUnderWay = 1_048_576;
/** A connection must be open after this time, milliseconds. */
const patienceMs = 5_000;
/** The pauses between attempts, milliseconds: the first, doubled up to the last, and up to a half shorter at random. */
const firstPauseMs = 500;
const lastPauseMs = 5_000;

/** Opens a bus by Redis' PUBLISH and SUBSCRIBE, which keep nothing. Redis may be away at the start. */
export function openRedisBus(options: RedisBusOptions): Bus {
  const { url, channel, clock, incarnation, random, onMessage, onChange } = options;
  const { probe = () => ({ type: "probe" }), key, isOwn = () => true } = options;
  const stopped = new AbortController();
  let client: RedisClient | undefined;
  /** Whether Redis works, as the last change told; undefined before the first. */
  let works: boolean | undefined;
  let heardAtMs = Number.NEGATIVE_INFINITY;
  let underWay = 0;
  let tries = 0;

  function tell(cause: Error | undefined): void {
    const isGood = cause === undefined;
    if (works === isGood) return;
    const isFirst = works === undefined;
    works = isGood;
    if (!isFirst || !isGood) onChange(cause);
  }

  function hear(payload: Buffer): void {
    if (payload.byteLength > maxBytes) return;
    const heard = decodeMessage(payload.toString());
    if (heard === undefined) return;
    if (heard.from !== incarnation) {
      if (isOwn(heard.from, heard.key)) onMessage(heard.message, heard.from);
    } else if (heard.message.type === "probe" && heard.key === key) {
      heardAtMs = clock.now();
      tries = 0;
      tell(undefined);
    }
  }

  const channelOf = (node: number) => `${channel}:${node}`;

  function send(message: NodeMessage, to?: number): void {
    const current = client;
    if (current === undefined) return;
    for (const payload of encodeMessage(incarnation, message, maxBytes, key)) {
      const bytes = Buffer.byteLength(payload);
      if (underWay + bytes > maxUnderWay) return;
      underWay += bytes;
      const taken = () => {
        if (client === current) underWay -= bytes;
      };
      // A failure ends the connection, or the probe that stays away does.
      current.publish(to === undefined ? channel : channelOf(to), payload).then(taken, taken);
    }
  }

  /** Holds one client until it ends or falls silent. Rejects with the cause. */
  async function hold(): Promise<never> {
    const ending = new AbortController();
    const signal = AbortSignal.any([ending.signal, stopped.signal]);
    const fallSilent = () => ending.abort(new Error("it does not answer"));
    const giveUp = clock.callAfter(patienceMs, fallSilent);
    const onEnd = (cause: Error) => ending.abort(cause);
    const channels = [channel, channelOf(incarnation)];
    client = await openRedisClient({ url, channels, signal, onPayload: hear, onEnd }).finally(giveUp);
    underWay = 0;
    const openedAtMs = clock.now();
    while (!signal.aborted) {
      if (clock.now() - Math.max(heardAtMs, openedAtMs) > silentMs) fallSilent();
      send(probe());
      await clock.sleep(probeMs, signal);
    }
    throw signal.reason;
  }

  async function keepOpen(): Promise<void> {
    while (!stopped.signal.aborted) {
      await hold().catch((cause: Error) => {
        client?.drop();
        client = undefined;
        heardAtMs = Number.NEGATIVE_INFINITY;
        if (!stopped.signal.aborted) tell(cause);
      });
      const pauseMs = Math.min(lastPauseMs, firstPauseMs * 2 ** tries) * (1 - random() / 2);
      tries += 1;
      await clock.sleep(pauseMs, stopped.signal);
    }
  }
  const done = keepOpen();

  return {
    send,
    get isHeard() {
      return client !== undefined && clock.now() - heardAtMs <= silentMs;
    },
    async [Symbol.asyncDispose]() {
      stopped.abort();
      await done;
    },
  };
}

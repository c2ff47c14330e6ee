import type { Socket } from "node:net";
import { createHistogram, spreadOf } from "../histogram.ts";
import { monotonicMs } from "../time-stamp.ts";
import { type AnswerBytes, composeDeltas } from "./answer-bytes.ts";
import type { Api } from "./api-events.ts";

/** How answers are sent. */
export interface Flow {
  readonly tokensPerSecond: number;
  /** Tokens of one answer that share a packet. The rate stays as it is. */
  readonly eventsPerPacket: number;
  /** Left out: the answer runs until the connection is closed. */
  readonly tokensPerAnswer?: number;
}

interface Answer {
  readonly socket: Socket;
  readonly bytes: AnswerBytes;
  tokensLeft: number;
}

/**
 * One timer for all answers. Each answer has a place in a wheel that turns once per packet interval. A packet is composed
 * once for all answers of one API at one place, so a token costs hardly more than its write.
 */
export function createTokenWheel(flow: Flow) {
  const { tokensPerSecond, eventsPerPacket, tokensPerAnswer = Infinity } = flow;
  const turnMs = (1_000 * eventsPerPacket) / tokensPerSecond;
  const places: Set<Answer>[] = Array.from({ length: Math.max(1, Math.floor(turnMs)) }, () => new Set());
  const placeMs = turnMs / places.length;
  const lateness = createHistogram();
  let step = 0;
  let sentTokens = 0;
  let dueMs = monotonicMs();
  let timer = setTimeout(turn, 1);

  function turn(): void {
    for (let nowMs = monotonicMs(); dueMs <= nowMs; dueMs += placeMs) {
      lateness.add(nowMs - dueMs);
      step += 1;
      const place = places[step % places.length];
      if (place !== undefined && place.size > 0) send(place);
    }
    timer = setTimeout(turn, 1);
  }

  function send(place: Set<Answer>): void {
    const packets = new Map<Api, Buffer>();
    const nowMs = monotonicMs();
    for (const answer of place) {
      const { api } = answer.bytes;
      const packet = packets.get(api) ?? composeDeltas(api, nowMs, step, eventsPerPacket);
      packets.set(api, packet);
      answer.socket.write(packet);
      sentTokens += eventsPerPacket;
      answer.tokensLeft -= eventsPerPacket;
      if (answer.tokensLeft > 0) continue;
      place.delete(answer);
      answer.socket.write(answer.bytes.closing);
    }
  }

  return {
    /** Sends an answer's deltas from the wheel's next place on, and then its closing. The returned function aborts it. */
    add(socket: Socket, bytes: AnswerBytes): () => void {
      const place = places[(step + 1) % places.length];
      const answer = { socket, bytes, tokensLeft: tokensPerAnswer };
      place?.add(answer);
      return () => place?.delete(answer);
    },
    /** How late packets were sent since the last call: the machine's own delay, not that of the measured side. */
    takeLateness() {
      const spread = spreadOf(lateness);
      lateness.clear();
      return { ...spread, sentTokens, streams: places.reduce((sum, place) => sum + place.size, 0) };
    },
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}

import { answer } from "../doubles/answer.ts";
import { eventsBehind } from "../doubles/background-answer.ts";
import { type CallInput, lastQuestion, personaOf } from "../doubles/read-call.ts";
import type { Step } from "../doubles/script.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble, type RecordedRequest } from "../doubles/upstream-double.ts";
import { idOfQuestion, namelessVoice, piecesOf } from "./numbered-answer.ts";

/** A request that reached the provider. */
export interface UpstreamRequest {
  /** The id of the request that it answers. */
  readonly id: string;
  /** The key with which the provider was asked. */
  readonly key: string;
  /** When it had arrived, on the scale of `Date.now()`. */
  readonly atMs: number;
}

/** A provider whose answers follow from the questions. It counts how often each question was asked. */
export interface CountingUpstream extends AsyncDisposable {
  readonly baseUrl: string;
  readonly calls: number;
  /** How often a background response was asked for again. */
  readonly continuations: number;
  /** Whether the background response to this question was asked for again. */
  continuedFor(id: string): boolean;
  callsFor(id: string, voice: string): number;
  /** All calls, and all reads of background responses, in their order. */
  readonly requests: readonly UpstreamRequest[];
  /** The background responses that were cancelled, in their order. */
  readonly cancelled: readonly UpstreamRequest[];
  /** Each call beyond the first for the same question and voice, as `id/voice`. */
  readonly repeatedCalls: readonly string[];
  openConnections(): number;
  hangUp(): void;
}

export interface CountingUpstreamOptions {
  /** The time between two pieces of a call, in real time, because real processes are killed in between. */
  readonly delayMs: () => number;
  /** How a call breaks off in its middle; `undefined` if it does not. Default: no call does. */
  readonly breakOf?: (id: string, voice: string) => readonly Step[] | undefined;
}

const responsePrefix = "resp_";
const cancelledId = new RegExp(`/responses/${responsePrefix}([^/]+)/cancel$`);

export async function createCountingUpstream({
  delayMs,
  breakOf = () => undefined,
}: CountingUpstreamOptions): Promise<CountingUpstream> {
  const double = await createUpstreamDouble({ keepsRequests: false });
  const counts = new Map<string, number>();
  const repeatedCalls: string[] = [];
  const continuedIds = new Set<string>();
  const requests: UpstreamRequest[] = [];
  let continuations = 0;
  const keyOf = (id: string, voice: string) => `${id}\n${voice}`;

  double.respond((request) => {
    const id = idOfQuestion(lastQuestion((request.body as { input: CallInput }).input));
    const voice = voiceOf(request);
    const key = keyOf(id, voice);
    requests.push(toUpstreamRequest(id, request));
    if (counts.has(key)) repeatedCalls.push(`${id}/${voice}`);
    counts.set(key, (counts.get(key) ?? 0) + 1);
    const pauseMs = delayMs();
    const events = answer({ responseId: `${responsePrefix}${id}`, deltas: piecesOf(id, voice) });
    const broken = breakOf(id, voice);
    const betweenEvents = () => [{ delayMs: pauseMs }];
    if (broken === undefined) return streamScript(events, { betweenEvents });
    // Otherwise a call made at that moment would fail with the connection, and would rightly be made again.
    const headers = { connection: "close" };
    return [...streamScript(events.slice(0, events.length / 2), { betweenEvents, headers }), ...broken];
  });

  double.respondToRetrieval((retrieval, index) => {
    const { responseId } = retrieval;
    const id = responseId.slice(responsePrefix.length);
    const received = double.retrievals[index];
    if (received !== undefined) requests.push(toUpstreamRequest(id, received));
    const events = answer({ responseId, deltas: piecesOf(id, namelessVoice) });
    const pauseMs = delayMs();
    continuations += 1;
    continuedIds.add(id);
    return streamScript(eventsBehind(retrieval, events), { betweenEvents: () => [{ delayMs: pauseMs }] });
  });

  return {
    baseUrl: double.baseUrl,
    get continuations() {
      return continuations;
    },
    get calls() {
      return double.calls;
    },
    ...{ repeatedCalls, requests },
    get cancelled() {
      return double.sideRequests.flatMap((request) => {
        const id = cancelledId.exec(request.path)?.[1];
        return id === undefined ? [] : [toUpstreamRequest(id, request)];
      });
    },
    continuedFor: (id) => continuedIds.has(id),
    callsFor: (id, voice) => counts.get(keyOf(id, voice)) ?? 0,
    openConnections: double.openConnections,
    hangUp: double.hangUp,
    [Symbol.asyncDispose]: () => double[Symbol.asyncDispose](),
  };
}

function toUpstreamRequest(id: string, { headers, receivedAtMs }: RecordedRequest): UpstreamRequest {
  const key = headers.authorization?.replace(/^Bearer /, "") ?? "";
  return { id, key, atMs: performance.timeOrigin + receivedAtMs };
}

function voiceOf({ body }: RecordedRequest): string {
  const { instructions } = body as { instructions?: string };
  if (instructions === undefined) return namelessVoice;
  const voice = personaOf(instructions);
  if (voice === undefined) throw new Error("the instructions are nobody's");
  return voice;
}

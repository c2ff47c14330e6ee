import { type RawData, WebSocket } from "ws";
import type { ServerMessage, ServerMessages } from "../../src/protocol/server-messages.ts";
import type { Findings } from "./findings.ts";
import {
  type Following,
  isNumbered,
  type Numbered,
  type RequestRecord,
  startFollowing,
} from "./request-record.ts";
import type { SeededRandom } from "./seeded-random.ts";

export interface ReturningClientOptions {
  /** The address to connect to, asked before each attempt. */
  readonly url: () => string;
  /** Sent with each handshake. Default: none. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly random: SeededRandom;
  readonly findings: Findings;
  /** The server's present life, counted from 1. */
  readonly life: () => number;
  /** Whether it comes again after `storage_unavailable`, as that error asks. Default: that is a finding. */
  readonly waitsForStorage?: boolean;
}

/** Counts of events on a client's connections. */
export interface ClientCounts {
  connections: number;
  /** Followings that received a message and ended before their request did. */
  cutInAnswer: number;
  /** Those among them that had not yet received all messages that existed when they resumed. */
  cutInReplay: number;
  resumes: number;
  repeatedAsks: number;
  cancels: number;
  /** Requests that a stopping server refused. The client drops such a connection, and asks again on the next. */
  sentAway: number;
}

/** The counts of a client that has not connected yet. */
export function noCounts(): ClientCounts {
  return {
    connections: 0,
    cutInAnswer: 0,
    cutInReplay: 0,
    resumes: 0,
    repeatedAsks: 0,
    cancels: 0,
    sentAway: 0,
  };
}

/** A client that knows only frames, and that reconnects whenever its connection is lost. */
export interface ReturningClient {
  readonly counts: ClientCounts;
  /** Number of requests of which it has seen a part. */
  readonly inAnswer: number;
  /** Asks the question (`owns`), or only follows another client's request. Settles with the terminal message. */
  read(record: RequestRecord, owns: boolean): Promise<void>;
  /** Drops its connection and reconnects. */
  cut(): void;
  close(): void;
}

interface Reading {
  readonly record: RequestRecord;
  readonly owns: boolean;
  /** This client has received every message up to this number. */
  seen: number;
  asked: boolean;
  following: Following | undefined;
  /** The newest number that existed when it resumed. */
  replayHead: number;
  readonly done: PromiseWithResolvers<void>;
}

export function createReturningClient(options: ReturningClientOptions): ReturningClient {
  const { url, headers = {}, random, findings, life, waitsForStorage = false } = options;
  const readings = new Map<string, Reading>();
  const counts = noCounts();
  let socket: WebSocket | undefined;
  let closed = false;
  let retry: NodeJS.Timeout | undefined;

  function connect(): void {
    if (closed) return;
    const mine = new WebSocket(url(), { headers, perMessageDeflate: false });
    mine.on("open", () => {
      counts.connections += 1;
      socket = mine;
      for (const reading of readings.values()) join(mine, reading);
    });
    mine.on("message", (data: RawData) => {
      if (socket === mine) receive(mine, data.toString());
    });
    // An error is always followed by `close`, which is enough.
    mine.on("error", () => undefined);
    mine.on("close", () => {
      if (socket === mine) leave();
      socket = undefined;
      retry = setTimeout(connect, random.between(0, 60));
    });
  }

  function leave(): void {
    for (const reading of readings.values()) {
      if (reading.following !== undefined && reading.seen > 0) counts.cutInAnswer += 1;
      if ((reading.following?.position ?? 0) < reading.replayHead) counts.cutInReplay += 1;
      reading.following = undefined;
      reading.replayHead = 0;
    }
  }

  function join(to: WebSocket, reading: Reading): void {
    const { record, seen } = reading;
    // A request that was never answered is asked again, which must not start it twice; or the client first resumes it.
    if (seen === 0 && reading.owns && !(reading.asked && random.chance(0.3))) {
      ask(to, reading);
      return;
    }
    const after = random.chance(0.2) ? random.whole(0, seen) : seen;
    counts.resumes += 1;
    reading.following = startFollowing(after, findings);
    const { id } = record.ask;
    to.send(
      JSON.stringify({ type: "resume", id: `resume-${id}`, data: { request_id: id, after_seq: after } }),
    );
  }

  function ask(to: WebSocket, reading: Reading): void {
    if (reading.asked) counts.repeatedAsks += 1;
    reading.asked = true;
    reading.following = startFollowing(0, findings);
    to.send(JSON.stringify(reading.record.ask.frame));
  }

  function receive(from: WebSocket, frame: string): void {
    const message = JSON.parse(frame) as ServerMessage;
    if (isNumbered(message)) see(from, message, frame);
    else if (message.type === "resumed") noteResumed(message, frame);
    else if (message.type === "error") noteRefusal(from, message, frame);
    else if (message.type === "cancelling")
      readings.get(message.request_id)?.record.noteCancelling(performance.timeOrigin + performance.now());
    else findings.note("refused frames", `unexpected: ${frame}`);
  }

  function noteResumed({ request_id, head_seq, state }: ServerMessages["resumed"], frame: string): void {
    const reading = readings.get(request_id);
    if (reading === undefined) return;
    reading.replayHead = head_seq;
    const { firstLife, ask } = reading.record;
    if (ask.outlasts === undefined && state === "running" && firstLife > 0 && firstLife < life())
      findings.note("still running after a crash", frame);
  }

  function see(from: WebSocket, message: Numbered, frame: string): void {
    const reading = readings.get(message.request_id);
    if (reading?.following === undefined) {
      findings.note("doubled", `nobody follows ${frame}`);
      return;
    }
    reading.following.see(message.seq, frame);
    reading.record.keep(message, frame, life());
    reading.seen = Math.max(reading.seen, message.seq);
    if (message.type === "response" || message.type === "error") finish(reading);
    else if (reading.owns && message.seq === reading.record.ask.cancelAt) cancel(from, message.request_id);
  }

  function cancel(to: WebSocket, id: string): void {
    counts.cancels += 1;
    to.send(JSON.stringify({ type: "cancel", data: { request_id: id } }));
  }

  function finish(reading: Reading): void {
    readings.delete(reading.record.ask.id);
    reading.done.resolve();
  }

  function noteRefusal(from: WebSocket, message: ServerMessages["error"], frame: string): void {
    // The end was on its way when the client cancelled.
    if (message.in_reply_to?.type === "cancel" && message.code === "request_ended") return;
    const id = message.in_reply_to?.id?.replace(/^resume-/, "") ?? "";
    const reading = readings.get(id);
    if (message.code === "request_not_found" && reading?.seen === 0 && reading.owns) {
      ask(from, reading);
      return;
    }
    if (message.code === "shutting_down" && reading !== undefined) {
      counts.sentAway += 1;
      from.terminate();
      return;
    }
    if (waitsForStorage && reading !== undefined && message.code === "storage_unavailable") {
      reading.following = undefined;
      setTimeout(() => {
        if (socket === from) join(from, reading);
      }, message.retry_after_ms);
      return;
    }
    const isForgotten = message.code === "request_not_found" || message.code === "seq_out_of_range";
    findings.note(isForgotten ? "forgotten requests" : "refused frames", frame);
    if (reading !== undefined) finish(reading);
  }

  connect();
  return {
    counts,
    get inAnswer() {
      return [...readings.values()].filter(({ seen }) => seen > 0).length;
    },
    read(record, owns) {
      const done = Promise.withResolvers<void>();
      const reading = { record, owns, seen: 0, asked: false, following: undefined, replayHead: 0, done };
      readings.set(record.ask.id, reading);
      if (socket?.readyState === WebSocket.OPEN) join(socket, reading);
      return done.promise;
    },
    cut: () => socket?.terminate(),
    close() {
      closed = true;
      clearTimeout(retry);
      socket?.terminate();
    },
  };
}

import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import type { Target } from "./attack.ts";

type Message = {
  readonly type: string;
  readonly code?: string;
  readonly status?: string;
  readonly id?: string;
};

export const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

/** A text of `chars` characters, after the word that tells the upstream how to answer. */
export function questionOf(kind: string, chars = 1_000_000): string {
  return `answer: ${kind} ${"words ".repeat(Math.ceil(chars / 6))}`.slice(0, chars);
}

/** A socket that counts its ends by their codes and keeps nothing else. */
export interface Attacker {
  /** Settles when the system has taken the bytes. */
  send(message: object | string): Promise<void>;
  /** Number of requests that have ended, and of frames that were refused. */
  readonly ends: number;
  readonly counts: ReadonlyMap<string, number>;
  /** Settles when `count` have ended, or the socket is closed. */
  ended(count: number): Promise<void>;
  /** The next message of this type; `undefined` if the socket closes first. */
  next(type: string): Promise<Message | undefined>;
  readonly isClosed: boolean;
  close(): void;
}

export async function openAttacker(url: string, { key }: { readonly key?: string } = {}): Promise<Attacker> {
  const headers = key === undefined ? {} : bearer(key);
  const socket = new WebSocket(url, { perMessageDeflate: false, headers });
  const counts = new Map<string, number>();
  const listeners = new Set<(message: Message | undefined) => void>();
  let ends = 0;
  let isClosed = false;
  const count = (name: string) => counts.set(name, (counts.get(name) ?? 0) + 1);
  socket.on("message", (data) => {
    const message = JSON.parse(String(data)) as Message;
    if (message.type === "response" || message.type === "error") {
      ends += 1;
      count(message.code ?? message.status ?? message.type);
    }
    for (const listener of listeners) listener(message);
  });
  socket.on("close", (code) => {
    isClosed = true;
    count(`closed with ${code}`);
    for (const listener of listeners) listener(undefined);
  });
  socket.on("error", () => undefined);
  await once(socket, "open");
  const hear = (isWanted: (message: Message | undefined) => boolean) =>
    new Promise<Message | undefined>((resolve) => {
      const listener = (message: Message | undefined) => {
        if (message !== undefined && !isWanted(message)) return;
        listeners.delete(listener);
        resolve(message);
      };
      if (isClosed) resolve(undefined);
      else listeners.add(listener);
    });

  return {
    send: (message) =>
      new Promise((resolve) =>
        socket.send(typeof message === "string" ? message : JSON.stringify(message), () => resolve()),
      ),
    get ends() {
      return ends;
    },
    counts,
    async ended(wanted) {
      if (ends < wanted) await hear(() => ends >= wanted);
    },
    next: (type) => hear((message) => message?.type === type),
    get isClosed() {
      return isClosed;
    },
    close: () => socket.terminate(),
  };
}

/** Describes the ends of all these sockets in words. */
export function describeEnds(...attackers: readonly Attacker[]): string {
  const sums = new Map<string, number>();
  for (const { counts } of attackers)
    for (const [name, count] of counts) sums.set(name, (sums.get(name) ?? 0) + count);
  return [...sums].map(([name, count]) => `${count} ${name}`).join(", ") || "none ended";
}

/** A TCP connection that sends these bytes and never reads. */
export async function openStalled({ httpUrl }: Target, bytes: Uint8Array | string): Promise<Socket> {
  const { hostname, port } = new URL(httpUrl);
  const socket = connectTcp({ host: hostname, port: Number(port) });
  socket.on("error", () => undefined);
  await once(socket, "connect");
  socket.pause();
  await new Promise<void>((resolve) => socket.write(bytes, () => resolve()));
  return socket;
}

/** Waits while an attack goes on by itself, for example while answers are made and not read. */
export const holdOn = (ms: number) => sleep(ms);

import { setTimeout as sleep } from "node:timers/promises";
import { createRawClient } from "../../doubles/raw-client.ts";
import { frameBytes, handshakeText, openRawSocket } from "../../support/raw-socket.ts";

/** An attack by one client, and how the server must end it: with a close code, a status, or a bare close ("cut"). */
export interface Flood {
  readonly name: string;
  /** Number of floods of this kind at the same time, as a share of the number asked for. Default 1. */
  readonly share?: number;
  readonly ends: readonly string[];
  /** Settles with the way in which the server ended it. */
  readonly attack: (httpUrl: string) => Promise<string>;
}

/** Sends bytes over a new WebSocket, once or repeatedly until the server ends it. */
function frames(bytes: Uint8Array, everyMs?: number): Flood["attack"] {
  return async (httpUrl) => {
    using socket = await openRawSocket(httpUrl);
    let over = false;
    const end = socket.end().finally(() => {
      over = true;
    });
    // The server is meant to refuse these bytes at some point.
    const send = () => socket.send(bytes).catch(() => undefined);
    void send();
    while (everyMs !== undefined && !over) {
      await sleep(everyMs);
      void send();
    }
    return String((await end).code);
  };
}

/** Sends pieces of a handshake, one second apart. */
function handshake(...pieces: readonly string[]): Flood["attack"] {
  return async (httpUrl) => {
    using client = await createRawClient(httpUrl);
    let answer: string | undefined;
    const answered = client.rest().then(
      (text) => {
        answer = text;
      },
      () => {
        answer = "";
      },
    );
    for (const piece of pieces) {
      await client.send(piece).catch(() => undefined);
      if (pieces.length > 1) await sleep(1_000);
      if (answer !== undefined) break;
    }
    await answered;
    return /^HTTP\/1\.1 (\d{3}) /.exec(answer ?? "")?.[1] ?? "cut";
  };
}

const times = (frame: Uint8Array, count: number) => Buffer.concat(Array<Uint8Array>(count).fill(frame));
const begin = frameBytes({ opcode: 1, fin: false, payload: "{" });
const fragment = (payload: string) => frameBytes({ opcode: 0, fin: false, payload });
const perTenth = 1_000;

export const floods: readonly Flood[] = [
  {
    name: "16,000 empty fragments",
    ends: ["1008"],
    attack: frames(Buffer.concat([begin, times(fragment(""), 16_000)])),
  },
  {
    name: "16,000 fragments of a byte",
    ends: ["1008"],
    attack: frames(Buffer.concat([begin, times(fragment(" "), 16_000)])),
  },
  {
    name: "100 KB of a message that never ends",
    ends: ["4408"],
    attack: frames(Buffer.concat([begin, times(fragment("x".repeat(1_000)), 100)])),
  },
  {
    name: "10,000 pings a second",
    ends: ["1008"],
    attack: frames(times(frameBytes({ opcode: 9, payload: "are you there?" }), perTenth), 100),
  },
  {
    name: "10,000 pongs a second",
    ends: ["1008"],
    attack: frames(times(frameBytes({ opcode: 10 }), perTenth), 100),
  },
  {
    // On a busy machine the server may close it for unanswered pings before it counts too many messages.
    name: "30,000 messages",
    share: 0.1,
    ends: ["1008", "4408"],
    attack: frames(times(frameBytes({ opcode: 1, payload: "no JSON" }), 30_000)),
  },
  { name: "no answer to pings", share: 5, ends: ["4408"], attack: frames(Buffer.alloc(0)) },
  { name: "a head of one byte a second", ends: ["408"], attack: handshake(...handshakeText()) },
  { name: "a connection that says nothing", share: 5, ends: ["408"], attack: handshake("") },
  {
    // If more bytes arrive after the server has closed, TCP drops the answer that is still on its way.
    name: "a header of 100 KB",
    ends: ["431", "cut"],
    attack: handshake(handshakeText([`X-Long: ${"x".repeat(100_000)}`])),
  },
  {
    name: "2,001 headers",
    ends: ["431"],
    attack: handshake(handshakeText(Array.from({ length: 2_001 }, (_, index) => `X${index}:`))),
  },
  {
    name: "an upgrade without its key",
    share: 5,
    ends: ["400"],
    attack: handshake(handshakeText(["Sec-WebSocket-Key:"])),
  },
];

import assert from "node:assert/strict";
import { test } from "node:test";
import { closeNameOf, closeTable } from "../../src/protocol/closes.ts";
import { wireLimits } from "../../src/protocol/limits.ts";
import { closeFrame, type FrameParts, frameBytes, openRawSocket } from "../support/raw-socket.ts";
import { startTroupe } from "../support/start-troupe.ts";

type Frames = readonly (FrameParts | Uint8Array)[];
const ping = JSON.stringify({ type: "ping", id: "p" });
const pong = JSON.stringify({ type: "pong", id: "p" });

/** Sends each row's frames over a new connection, and expects only this close code. */
async function expectCodes(rows: Readonly<Record<string, Frames>>, code: number) {
  await using server = await startTroupe();
  const results: Record<string, unknown> = {};
  for (const [name, frames] of Object.entries(rows)) {
    using socket = await openRawSocket(server.httpUrl);
    await socket.send(...frames);
    const end = await socket.end();
    // The reason is for people to read. An answer to the client's own close has none.
    const close = closeNameOf(code);
    assert.equal(end.reason, close === undefined ? "" : closeTable[close].reason, name);
    results[name] = [end.code, ...end.frames.map(({ payload }) => payload.toString())];
  }
  const expected = Object.keys(rows).map((name) => [name, [code]]);
  assert.deepEqual(results, Object.fromEntries(expected));
}

test("a frame that breaks the protocol closes with 1002", () =>
  expectCodes(
    {
      "not masked": [{ opcode: 1, payload: ping, masked: false }],
      "reserved bit 1": [{ opcode: 1, payload: ping, reserved: 4 }],
      "reserved bit 2": [{ opcode: 1, payload: ping, reserved: 2 }],
      "reserved bit 3": [{ opcode: 1, payload: ping, reserved: 1 }],
      "unknown data opcode": [{ opcode: 3, payload: ping }],
      "unknown control opcode": [{ opcode: 11 }],
      "ping in fragments": [{ opcode: 9, fin: false }],
      "ping of 126 bytes": [{ opcode: 9, payload: "x".repeat(126) }],
      "continuation of nothing": [{ opcode: 0, payload: ping }],
      "text inside a text": [
        { opcode: 1, payload: "{", fin: false },
        { opcode: 1, payload: "}" },
      ],
      "close of one byte": [{ opcode: 8, payload: "x" }],
      "http instead of frames": [Buffer.from("GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n")],
    },
    1002,
  ));

test("a close with a forbidden code is answered with 1002, and later frames are ignored", async () => {
  const codes = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000];
  await expectCodes(
    Object.fromEntries(codes.map((code) => [code, [closeFrame(code), { opcode: 1, payload: ping }]])),
    1002,
  );
});

test("a close with a valid code gets that code back, and later frames are ignored", async () => {
  for (const code of [1000, 1001, 1011, 3000, 4999]) {
    await expectCodes({ "then a message": [closeFrame(code), { opcode: 1, payload: ping }] }, code);
  }
});

test("text that is not UTF-8 closes with 1007, wherever it is cut", () => {
  const bad: Record<string, number[]> = {
    "a lone continuation byte": [0x80],
    "a cut sequence": [0xe2, 0x82],
    "an overlong slash": [0xc0, 0xaf],
    "an overlong nul of three": [0xe0, 0x80, 0x80],
    "a surrogate": [0xed, 0xa0, 0x80],
    "beyond Unicode": [0xf4, 0x90, 0x80, 0x80],
    "five bytes": [0xf8, 0x88, 0x80, 0x80, 0x80],
    "never valid": [0xfe],
  };
  const rows: Record<string, Frames> = {};
  for (const [name, bytes] of Object.entries(bad)) {
    const payload = Buffer.concat([Buffer.from('{"type":"'), Buffer.from(bytes), Buffer.from('"}')]);
    rows[name] = [{ opcode: 1, payload }];
    for (let cut = 9; cut <= 9 + bytes.length; cut += 1) {
      rows[`${name}, cut at ${cut}`] = [
        { opcode: 1, payload: payload.subarray(0, cut), fin: false },
        { opcode: 0, payload: payload.subarray(cut) },
      ];
    }
  }
  rows["in the reason of a close"] = [closeFrame(1000, Buffer.from([0xff]))];
  return expectCodes(rows, 1007);
});

test("a message of the maximum size is read, and one more byte closes with 1009, with any claimed length", async () => {
  const padded = (bytes: number) => Buffer.from(ping.padEnd(bytes, " "));
  const most = wireLimits.messageBytes;
  await using server = await startTroupe();
  for (const bytes of [most - 1, most]) {
    using socket = await openRawSocket(server.httpUrl);
    await socket.send({ opcode: 1, payload: padded(bytes) });
    assert.equal((await socket.next())?.payload.toString(), pong);
  }
  await expectCodes(
    {
      "one more": [{ opcode: 1, payload: padded(most + 1) }],
      "one more over two fragments": [
        { opcode: 1, payload: padded(most), fin: false },
        { opcode: 0, payload: " " },
      ],
      "2^63 claimed, a few sent": [{ opcode: 1, payload: "few", claimedBytes: 2n ** 63n }],
      "2^53 claimed, a few sent": [{ opcode: 1, payload: "few", claimedBytes: 2n ** 53n }],
    },
    1009,
  );
});

test("a message in more fragments than the limit closes with 1008, empty ones count as well", () => {
  const fragments = (payload: string) => {
    const rest = Array<Buffer>(wireLimits.messageFragments).fill(
      frameBytes({ opcode: 0, payload, fin: false }),
    );
    return [frameBytes({ opcode: 1, payload, fin: false }), ...rest];
  };
  return expectCodes({ "empty ones": fragments(""), "of one byte": fragments("x") }, 1008);
});

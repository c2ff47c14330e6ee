import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ConnectionState, RequestFailure } from "../../src/client/index.ts";
import { nextStep, pageOf } from "../../src/page/next-step.ts";

const url = "ws://localhost:8000/ws";
const served = { url, fromDisk: false, token: "", wasOpen: false };
const fromDisk = { ...served, fromDisk: true };
const waiting = (attempt: number, code = 1006, reason = ""): ConnectionState => {
  return { name: "waiting", attempt, retryAtMs: 0, loss: { code, reason } };
};
const refused = (code: RequestFailure["code"]): ConnectionState => {
  const error = { code, message: "M.", retryable: false };
  return { name: "closed", loss: { code: 1006, reason: "M.", error } };
};
const closed = (code: number, reason: string): ConnectionState => ({
  name: "closed",
  loss: { code, reason },
});

describe("the next step of a page that", () => {
  for (const [name, state, situation, words, link] of [
    ["has no server", waiting(1), served, /npm start/, undefined],
    ["has no server and is from disk", waiting(1), fromDisk, /npm start/, "http://localhost:8000/"],
    ["lost its server once", waiting(1), { ...served, wasOpen: true }, undefined, undefined],
    ["lost its server for longer", waiting(2), { ...served, wasOpen: true }, /npm start/, undefined],
    [
      "gets no answer in time",
      waiting(3, 4408, "The server did not answer in time."),
      served,
      /npm start/,
      undefined,
    ],
    ["is told to wait", waiting(3, 1006, "The server is full."), served, undefined, undefined],
    [
      "is from disk without a token",
      refused("forbidden_origin"),
      fromDisk,
      /no token.*paste/,
      "http://localhost:8000/",
    ],
    [
      "is from disk with a wrong token",
      refused("forbidden_origin"),
      { ...fromDisk, token: "old" },
      /does not let this page in/,
      "http://localhost:8000/",
    ],
    [
      "is of another origin",
      refused("forbidden_origin"),
      served,
      /Open its own page/,
      "http://localhost:8000/",
    ],
    ["has no valid key", refused("unauthenticated"), served, /Write a key/, undefined],
    ["came through a proxy", refused("forbidden_proxy"), served, /operator/, undefined],
    ["is refused otherwise", refused("forbidden"), served, /operator/, undefined],
    [
      "has no address",
      closed(1000, "Cannot connect to nonsense: SyntaxError"),
      served,
      /Correct the address/,
      undefined,
    ],
    ["was closed for good", closed(1008, "Too many frames."), served, undefined, undefined],
    ["is not connected", { name: "idle" }, served, undefined, undefined],
    ["is connecting", { name: "connecting", attempt: 0 }, served, undefined, undefined],
    ["is connected", { name: "open", attempt: 0 }, served, undefined, undefined],
  ] as const) {
    it(`${name} is ${words === undefined ? "none" : `“${words.source}”`}`, () => {
      const step = nextStep(state, situation);
      if (words === undefined) assert.equal(step, undefined);
      else assert.match(step?.text ?? "", words);
      assert.equal(step?.link, link);
    });
  }

  it("leads to the page beside the socket, wherever a proxy serves both", () => {
    for (const [socket, page] of [
      ["ws://localhost:8000/ws", "http://localhost:8000/"],
      ["wss://chat.example.com/troupe/ws?ticket=t", "https://chat.example.com/troupe/"],
      ["ws://[::1]:8000/a/b/ws", "http://[::1]:8000/a/b/"],
      ["nonsense", undefined],
    ] as const)
      assert.equal(pageOf(socket), page);
  });
});

import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { describe, it } from "node:test";
import { type Stoppable, stopOnSignals, stopSignals } from "../../src/compose/stop-on-signals.ts";

function createStage({ parent = "npm" } = {}) {
  const source = new EventEmitter();
  const stage = { nowMs: 5_000, parent, said: [] as string[], done: [] as string[] };
  let look: () => void = () => undefined;
  const whenAsked = stopOnSignals({
    source,
    now: () => stage.nowMs,
    say: (line) => stage.said.push(line),
    exit: (code) => stage.done.push(`exit ${code}`),
    parent: {
      id: () => stage.parent,
      every(_ms, callback) {
        look = callback;
      },
    },
  });
  const what = (more: Partial<Stoppable> = {}): Stoppable => ({
    drainMs: 10_000,
    kill: () => void stage.done.push("kill"),
    async stop() {
      stage.done.push("stop");
    },
    ...more,
  });
  const signal = (name: string) => source.emit(name);
  return Object.assign(stage, { whenAsked, what, signal, look: () => look() });
}

describe("signals that stop a server", () => {
  for (const first of stopSignals) {
    for (const second of stopSignals) {
      it(`${first} stops in order, ${second} later at once`, () => {
        const stage = createStage();
        stage.whenAsked(stage.what());
        stage.signal(first);
        assert.deepEqual(stage.done, ["stop"]);
        stage.nowMs += 500;
        stage.signal(second);
        assert.deepEqual(stage.done, ["stop", "kill", "exit 1"]);
      });
    }
  }

  it("that come together are one: of the terminal, handed on by npm, and by a shell that ends", () => {
    for (const together of [
      ["SIGINT", "SIGINT"],
      ["SIGHUP", "SIGHUP", "SIGTERM"],
      ["SIGINT", "SIGTERM"],
    ]) {
      const stage = createStage();
      stage.whenAsked(stage.what());
      for (const name of together) {
        stage.signal(name);
        stage.nowMs += 150;
      }
      assert.deepEqual(stage.done, ["stop"], together.join(" "));
    }
  });

  it("tell the running requests, the longest wait and the way to stop at once", () => {
    for (const [running, drainMs, line] of [
      [0, 10_000, /^Troupe stops$/],
      [
        1,
        10_000,
        /^Troupe stops; 1 running request may take up to 10 s \(TROUPE_DRAIN_MS\), a second Ctrl-C stops at once$/,
      ],
      [7, 500, /; 7 running requests may take up to 0\.5 s /],
      [undefined, 10_000, /; requests that still run may take up to 10 s /],
    ] as const) {
      const stage = createStage();
      stage.whenAsked(stage.what({ drainMs, ...(running === undefined ? {} : { running: () => running }) }));
      stage.signal("SIGINT");
      assert.match(stage.said.join("\n"), line);
    }
  });

  it("are obeyed as soon as there is something to stop", () => {
    const stage = createStage();
    stage.signal("SIGTERM");
    assert.deepEqual([stage.done, stage.said], [[], []]);
    stage.whenAsked(stage.what());
    assert.deepEqual([stage.done, stage.said.length], [["stop"], 1]);
    const early = createStage();
    early.signal("SIGINT");
    early.nowMs += 600;
    early.signal("SIGINT");
    assert.deepEqual(early.done, ["exit 1"]);
  });

  it("are not needed when the runner has ended, which is no second wish of somebody", () => {
    const stage = createStage();
    stage.whenAsked(stage.what());
    stage.look();
    assert.deepEqual(stage.done, []);
    stage.parent = "init";
    stage.look();
    stage.nowMs += 9_000;
    stage.look();
    assert.deepEqual(stage.done, ["stop"]);
    const asked = createStage();
    asked.whenAsked(asked.what());
    asked.signal("SIGINT");
    asked.parent = "init";
    asked.nowMs += 9_000;
    asked.look();
    assert.deepEqual(asked.done, ["stop"]);
  });
});

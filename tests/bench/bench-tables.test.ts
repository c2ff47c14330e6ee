import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RoundFigures, RunFigures, SideFigures } from "../../bench/figures.ts";
import type { WindowFigures } from "../../bench/measures/window.ts";
import { readOptions } from "../../bench/options.ts";
import { createPlan } from "../../bench/plan.ts";
import { comparisonTable } from "../../bench/report/comparison-table.ts";
import { renderPage } from "../../bench/report/page.ts";
import { overviewTable } from "../../bench/report/tables.ts";
import { sides, withBefore } from "../../bench/sides/sides.ts";

const plan = createPlan(readOptions(["--quick", "--before", "../old"]));

interface Costs {
  readonly tokenUs: number;
  readonly answerMs: number;
  readonly othersShare?: number;
}

function roundOf({ tokenUs, answerMs, othersShare = 0 }: Costs): RoundFigures {
  const answers = 100;
  const window: WindowFigures = {
    streams: 300,
    cpuMs: answerMs * answers,
    cpuUsPerToken: tokenUs,
    cpuShare: 0.1,
    tokensPerSecond: 7_500,
    chunksPerSecond: 3_000,
    lag: { count: answers, p50Ms: 0, p99Ms: tokenUs },
    firstChunk: { count: answers, p50Ms: answerMs, p99Ms: answerMs * 4 },
    memoryBytes: 0,
    trust: { upstreamLateP99Ms: 1, loadShare: 0.5, othersShare, delivered: 1, losses: {} },
  };
  const secure = { ...window, cpuUsPerToken: tokenUs * 2 };
  const upstreams = new Map(
    plan.upstreams.map(({ name, isSecure }) => [name, isSecure ? secure : window] as const),
  );
  return { upstreams, answers: window, streamBytes: tokenUs * 1_024 };
}

function figuresOf(name: string, costs: readonly Costs[]): SideFigures {
  const side = withBefore(sides, "/old").find((one) => one.name === name);
  assert.ok(side, name);
  return { side, rounds: costs.map(roundOf) };
}

/** The second round runs on a machine of half the speed. */
const run: RunFigures = {
  plan,
  direct: { side: undefined, rounds: [1, 1, 1].map((ms) => roundOf({ tokenUs: 0, answerMs: ms / 2 })) },
  sides: [
    figuresOf("troupe", [
      { tokenUs: 9, answerMs: 2 },
      { tokenUs: 20, answerMs: 4, othersShare: 0.5 },
      { tokenUs: 10, answerMs: 2 },
    ]),
    figuresOf("troupe-before", [
      { tokenUs: 10, answerMs: 4 },
      { tokenUs: 20, answerMs: 8 },
      { tokenUs: 10, answerMs: 4 },
    ]),
    figuresOf("nginx", [
      { tokenUs: 20, answerMs: 1 },
      { tokenUs: 40, answerMs: 2 },
      { tokenUs: 20, answerMs: 1 },
    ]),
  ],
};

const cellsOf = (text: string) =>
  text
    .split("\n")
    .slice(2)
    .map((line) => line.split("|").slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim()));

describe("the table of all sides", () => {
  it("has a side's medians, and its ratios with their range", () => {
    const [troupe, before, nginx] = cellsOf(overviewTable(run));
    assert.deepEqual(troupe, [
      "troupe",
      "0.50 (0.45-0.50)",
      "10.0",
      "0.0 / 10",
      "1.5 / 6.0",
      "2.00 (2.00-2.00)",
      "2.00",
    ]);
    assert.equal(before?.[0], "troupe-before");
    assert.equal(nginx?.[1], "1.00 (1.00-1.00)");
  });

  it("gives the reason of a side without figures", () => {
    const missing: SideFigures = { side: run.sides[0]?.side, missing: "no memory\nat line 1", rounds: [] };
    const rows = cellsOf(overviewTable({ ...run, sides: [missing] }));
    assert.deepEqual(rows, [["troupe", "no memory", "", "", "", "", ""]]);
  });

  it("marks a figure if at least half of its rounds were disturbed", () => {
    const disturbed = { tokenUs: 9, answerMs: 2, othersShare: 0.5 };
    const calm = { tokenUs: 9, answerMs: 2 };
    const cellOf = (...rounds: Costs[]) =>
      cellsOf(overviewTable({ ...run, sides: [figuresOf("troupe", rounds)] }))[0]?.[2];
    assert.equal(cellOf(disturbed, disturbed, calm), "9.0~");
    assert.equal(cellOf(disturbed, calm, calm), "9.0");
  });
});

describe("the table of two checkouts", () => {
  it("has a row for each figure and each side that has its other checkout", () => {
    assert.deepEqual(
      cellsOf(comparisonTable(run)),
      [
        [
          "CPU per token, us, 25 tokens/s, one a packet",
          "10.0",
          "10.0",
          "1.00 (0.90-1.00)",
          "20.0",
          "0.50 (0.50-0.50)",
          "0.50 (0.45-0.50)",
        ],
        [
          "CPU per token, us, 25 tokens/s over TLS",
          "20.0",
          "20.0",
          "1.00 (0.90-1.00)",
          "40.0",
          "0.50 (0.50-0.50)",
          "0.50 (0.45-0.50)",
        ],
        [
          "CPU per answer of 25 tokens, ms",
          "4.00",
          "2.00",
          "0.50 (0.50-0.50)",
          "1.00",
          "4.00 (4.00-4.00)",
          "2.00 (2.00-2.00)",
        ],
        [
          "memory per stream, KiB, at 500 streams",
          "10.0",
          "10.0",
          "1.00 (0.90-1.00)",
          "20.0",
          "0.50 (0.50-0.50)",
          "0.50 (0.45-0.50)",
        ],
        [
          "first chunk, ms, p50",
          "4.0",
          "2.0",
          "0.50 (0.50-0.50)",
          "1.0",
          "4.00 (4.00-4.00)",
          "2.00 (2.00-2.00)",
        ],
        [
          "first chunk, ms, p99",
          "16.0",
          "8.0",
          "0.50 (0.50-0.50)",
          "4.0",
          "4.00 (4.00-4.00)",
          "2.00 (2.00-2.00)",
        ],
      ].map(([figure = "", ...cells]) => [figure, "troupe", ...cells]),
    );
  });
});

it("the page of a full run has a row of every table for a side, and tells which figures are missing", () => {
  const full = createPlan(readOptions([]));
  const [troupe] = run.sides;
  const failed: SideFigures = { side: sides.at(-1), missing: "no Python", rounds: [] };
  assert.ok(troupe);
  const all = [{ ...troupe, missing: "too few ports" }, failed];
  const page = renderPage(
    { plan: full, direct: run.direct, sides: all },
    { date: "2026-01-02", isPinned: true },
  );
  assert.match(page, /the median of 5 rounds/);
  assert.match(page, /^- `troupe`: .* \*\*Number of streams not measured:\*\* too few ports\.$/m);
  assert.match(page, /^- `fastapi`: .* \*\*Not measured:\*\* no Python\.$/m);
  assert.equal(page.match(/^\| troupe \|/gm)?.length, 3);
});

describe("the sides of two checkouts", () => {
  it("stand next to each other, and only Troupe has another checkout", () => {
    const chosen = sides.filter(({ name }) => ["troupe", "troupe-memory", "nginx"].includes(name));
    assert.deepEqual(
      withBefore(chosen, "/old").map(({ name }) => name),
      ["troupe", "troupe-before", "troupe-memory", "troupe-memory-before", "nginx"],
    );
  });

  it("start the programs of their own folders", async () => {
    const [now, before] = withBefore(sides.slice(0, 1), "/old");
    const place = { upstreamUrl: "", folder: "", certificateFile: "", nodeFlags: [] };
    const commandLine = async (side = now) =>
      (await side?.program(place))?.args.find((arg) => arg.endsWith("troupe.js"));
    assert.equal(await commandLine(before), "/old/bin/troupe.js");
    assert.notEqual(await commandLine(now), "/old/bin/troupe.js");
  });
});

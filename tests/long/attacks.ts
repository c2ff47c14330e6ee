import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Attack, attacksScale } from "./attacks/attack.ts";
import { attacks } from "./attacks/attack-list.ts";
import {
  type Bystanders,
  heapMiB,
  maxPauseMs,
  type Outcome,
  playAttack,
  startBystanders,
} from "./attacks/play-attack.ts";
import { writeRecord } from "./record/report.ts";

/**
 * An attack whose only fault is a long pause is played this many times. A pause that the server causes occurs again; one
 * that the machine causes does not.
 */
const triesForPause = 3;
/** A shorter pause is the rhythm of the answer. */
const rhythmMs = 40;

const rows: string[] = [];
let bystanders: Bystanders;

function describeOutcome({ pause, growthMiB, tookMs, seen, wrong }: Outcome): string {
  const figures = [
    pause.serverMs < rhythmMs
      ? `no pause above ${rhythmMs} ms`
      : `longest pause ${pause.serverMs.toFixed(0)} ms`,
    `memory +${Math.max(0, growthMiB).toFixed(0)} MiB`,
    `in ${(tookMs / 1_000).toFixed(1)} s: ${seen}`,
    ...wrong,
  ];
  return figures.join("; ");
}

async function play(attack: Attack): Promise<Outcome> {
  for (let tries = 1; ; tries += 1) {
    const outcome = await playAttack(attack, bystanders);
    const isOnlyPause = outcome.wrong.length === 1 && outcome.pause.serverMs > maxPauseMs;
    if (!isOnlyPause || tries === triesForPause) return outcome;
    console.log(`${attack.name}: played again; ${describeOutcome(outcome)}`);
  }
}

describe(`attacks on a server with a heap of ${heapMiB} MB, beside a neighbour that waits for at most ${maxPauseMs} ms`, () => {
  before(async () => {
    bystanders = await startBystanders();
  });
  after(async () => {
    await bystanders[Symbol.asyncDispose]();
    const head = ["| attack | figure before | figure now | limit that holds |", "| --- | --- | --- | --- |"];
    writeRecord("attacks", { ATTACKS_SCALE: attacksScale }, ["", ...head, ...rows].join("\n"));
  });
  for (const attack of attacks) {
    it(attack.name, async () => {
      const outcome = await play(attack);
      const figures = describeOutcome(outcome);
      console.log(`${attack.name}: ${figures}; with the machine's ${outcome.pause.seenMs.toFixed(0)} ms`);
      rows.push(`| ${[attack.name, attack.before, figures, attack.limit].join(" | ")} |`);
      assert.deepEqual(outcome.wrong, []);
    });
  }
});

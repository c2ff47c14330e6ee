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

/** If the machine stood still for this share of an attack, a pause that is too long is looked at once more. */
const noisyShare = 0.1;
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

/** Plays it once more if the machine itself stood still in the first try. */
async function play(attack: Attack): Promise<Outcome> {
  const first = await playAttack(attack, bystanders);
  if (first.wrong.length === 0 || first.stoodStill < noisyShare) return first;
  const percent = (100 * first.stoodStill).toFixed(0);
  console.log(
    `${attack.name}: played again, the machine stood still for ${percent} %; ${describeOutcome(first)}`,
  );
  return await playAttack(attack, bystanders);
}

describe(`attacks on a server with a heap of ${heapMiB} MB, beside a neighbour who waits for at most ${maxPauseMs} ms`, () => {
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

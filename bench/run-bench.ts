import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { root } from "../scripts/repository.ts";
import type { RunFigures, SideFigures } from "./figures.ts";
import { addLimits } from "./measure-limits.ts";
import { runStores } from "./nodes/run-stores.ts";
import { type BenchOptions, readOptions } from "./options.ts";
import { createPlan, type Plan } from "./plan.ts";
import { profileSide } from "./profile/profile-side.ts";
import { markMeanings, ratioMeaning } from "./report/cells.ts";
import { comparisonTable } from "./report/comparison-table.ts";
import { renderPage } from "./report/page.ts";
import { growthTable, overviewTable, referenceName, upstreamsTable } from "./report/tables.ts";
import { type Rig, startRig } from "./rig.ts";
import { measureRounds } from "./rounds/measure-rounds.ts";
import { apiQuestion, type Side } from "./sides/side.ts";
import { sides, withBefore } from "./sides/sides.ts";
import { commandLineIn } from "./sides/troupe.ts";

const page = "docs/BENCHMARKS.md";

/**
 * `npm run bench`: measures Troupe beside other ways of bringing a provider's streams to clients, under the same load in
 * the same run, and writes the page of results. With any argument it only prints: names choose sides, `--quick` takes four
 * minutes, and `--before` adds another checkout. `--postgres` measures Troupe's stores, and `--profile` says instead where one side's time goes. Returns the exit
 * code.
 */
export async function main(args: readonly string[]): Promise<number> {
  const options = checkedOptions(args);
  if (options === undefined) return 1;
  // The client asks the double itself in the same way as it asks nginx.
  await using rig = await startRig({
    wire: "http",
    path: "/v1/responses",
    headers: {},
    question: apiQuestion,
    rhythmMs: 0,
  });
  if (!rig.isPinned) console.log("The cores can't be told apart here: the load disturbs what is measured.");
  const { names, isProfile, isPostgres } = options;
  if (isPostgres) {
    await runStores(rig, options);
    return 0;
  }
  if (isProfile) {
    const profiled = names.length === 0 ? ["troupe"] : names;
    for (const side of sides.filter(({ name }) => profiled.includes(name)))
      console.log(await profileSide(rig, side));
    return 0;
  }
  const plan = createPlan(options);
  const figures = await measureAll(rig, chooseSides(options, plan), plan);
  print(figures);
  if (args.length > 0) return 0;
  const date = new Date().toISOString().slice(0, 10);
  await writeFile(join(root, page), renderPage(figures, { date, isPinned: rig.isPinned }));
  console.log(`\nwritten to ${page}`);
  return 0;
}

/** The options, or `undefined` after a message if the benchmark can't run with them. */
function checkedOptions(args: readonly string[]): BenchOptions | undefined {
  try {
    const options = readOptions(args);
    const unknown = options.names.filter((name) => !sides.some((side) => side.name === name));
    if (unknown.length > 0)
      throw new Error(
        `no side is named ${unknown.join(", ")}; there are ${sides.map(({ name }) => name).join(", ")}`,
      );
    if (options.before !== undefined && !existsSync(commandLineIn(options.before)))
      throw new Error(`--before takes a checkout of Troupe: there is no ${commandLineIn(options.before)}`);
    if (process.platform !== "linux")
      throw new Error("the benchmarks run on Linux only: CPU and memory of the sides are read from /proc");
    return options;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return undefined;
  }
}

function chooseSides({ names, before }: BenchOptions, plan: Plan): Side[] {
  const wanted = names.length > 0 ? [...names, referenceName] : plan.sides;
  const chosen = sides.filter(({ name }) => wanted?.includes(name) ?? true);
  return before === undefined ? chosen : withBefore(chosen, resolve(before));
}

async function measureAll(rig: Rig, chosen: readonly Side[], plan: Plan): Promise<RunFigures> {
  const [direct, ...inRounds] = await measureRounds(rig, [undefined, ...chosen], plan);
  const measured: SideFigures[] = [];
  for (const figures of inRounds) {
    if (plan.limits === undefined) measured.push(figures);
    else {
      console.log(`${figures.side?.name}: how many streams it holds`);
      measured.push(await addLimits(rig, figures, plan.limits));
    }
  }
  return { plan, direct: direct ?? { side: undefined, rounds: [] }, sides: measured };
}

function print(figures: RunFigures): void {
  const { memoryStreams, limits } = figures.plan;
  const tables = [overviewTable(figures)];
  if (memoryStreams !== undefined) tables.push(comparisonTable(figures));
  if (limits !== undefined) tables.push(growthTable(figures), upstreamsTable(figures));
  console.log(
    `\n${[...tables, `${ratioMeaning(figures.plan.rounds)}\n${markMeanings.join("\n")}`].join("\n\n")}`,
  );
}

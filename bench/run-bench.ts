import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "../scripts/repository.ts";
import { measureSide, type SideFigures } from "./measure-side.ts";
import { fullPlan, type Plan, quickPlan, quickSides } from "./plan.ts";
import { profileSide } from "./profile/profile-side.ts";
import { markMeanings } from "./report/cells.ts";
import { renderPage } from "./report/page.ts";
import {
  growthTable,
  overviewTable,
  type RunFigures,
  referenceName,
  upstreamsTable,
} from "./report/tables.ts";
import { type Rig, startRig } from "./rig.ts";
import { apiQuestion, type Side } from "./sides/side.ts";
import { sides } from "./sides/sides.ts";

const page = "docs/BENCHMARKS.md";

/**
 * `npm run bench`: measures Troupe beside other ways of bringing a provider's streams to clients, under the same load in
 * the same run, and writes the page of results. Arguments choose sides by name, and `--quick` takes three minutes; both
 * only print. `--profile` says instead where one side's time goes. Returns the exit code.
 */
export async function main(args: readonly string[]): Promise<number> {
  const { values, positionals: names } = parseArgs({
    args: [...args],
    options: { quick: { type: "boolean", default: false }, profile: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  const unknown = names.filter((name) => !sides.some((side) => side.name === name));
  if (unknown.length > 0) {
    console.error(
      `no side is named ${unknown.join(", ")}; there are ${sides.map(({ name }) => name).join(", ")}`,
    );
    return 1;
  }
  if (process.platform !== "linux") {
    console.error("the benchmarks run on Linux only: CPU and memory of the sides are read from /proc");
    return 1;
  }
  // The client asks the double itself in the same way as it asks nginx.
  await using rig = await startRig({
    wire: "http",
    path: "/v1/responses",
    headers: {},
    question: apiQuestion,
    rhythmMs: 0,
  });
  if (!rig.isPinned) console.log("The cores can't be told apart here: the load disturbs what is measured.");
  if (values.profile) {
    const profiled = names.length === 0 ? ["troupe"] : names;
    for (const side of sides.filter(({ name }) => profiled.includes(name)))
      console.log(await profileSide(rig, side));
    return 0;
  }
  const wanted = names.length > 0 ? [...names, referenceName] : values.quick ? quickSides : undefined;
  const chosen = sides.filter(({ name }) => wanted?.includes(name) ?? true);
  const figures = await measureAll(rig, chosen, values.quick ? quickPlan : fullPlan);
  print(figures);
  if (values.quick || names.length > 0) return 0;
  const date = new Date().toISOString().slice(0, 10);
  await writeFile(join(root, page), renderPage(figures, { date, isPinned: rig.isPinned }));
  console.log(`\nwritten to ${page}`);
  return 0;
}

async function measureAll(rig: Rig, chosen: readonly Side[], plan: Plan): Promise<RunFigures> {
  const measureOne = async (side: Side | undefined) => {
    const name = side?.name ?? "direct";
    const startedAt = performance.now();
    const figures = await measureSide(rig, side, plan);
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
    console.log(
      figures.missing === undefined ? `${name}: measured in ${seconds} s` : `${name}: ${figures.missing}`,
    );
    return figures;
  };
  const direct = await measureOne(undefined);
  const measured: SideFigures[] = [];
  for (const side of chosen) measured.push(await measureOne(side));
  return { plan, direct, sides: measured };
}

function print(figures: RunFigures): void {
  const tables = [overviewTable(figures)];
  if (figures.plan.growth !== undefined) tables.push(growthTable(figures), upstreamsTable(figures));
  console.log(`\n${[...tables, markMeanings.join("\n")].join("\n\n")}`);
}

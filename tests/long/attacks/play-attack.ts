import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { migrate } from "../../../src/adapters/sqlite/migrations.ts";
import { createServerProcess, type ServerProcess, troupeEnvironment } from "../../crash/server-process.ts";
import { openBeside } from "../../support/open-beside.ts";
import { type ChildProgram, startChild } from "../load/child-program.ts";
import { type Attack, attacker, type Target } from "./attack.ts";
import type { AttackerAnswers } from "./attacker-program.ts";
import type { ControlAnswers } from "./control-program.ts";
import { type LongestPause, longestPause } from "./longest-pause.ts";
import type { NeighbourAnswers } from "./neighbour-program.ts";
import { isWhole } from "./steady-words.ts";
import type { UpstreamAnswers } from "./upstream-program.ts";

/** The programs that all attacks share, each in its own process. */
export interface Bystanders extends AsyncDisposable {
  readonly upstream: ChildProgram<UpstreamAnswers>;
  readonly control: ChildProgram<ControlAnswers>;
  readonly neighbour: ChildProgram<NeighbourAnswers>;
}

/** The result of an attack. */
export interface Outcome {
  readonly pause: LongestPause;
  /** Growth of the server's peak memory over its memory before the attack, in MiB. */
  readonly growthMiB: number;
  readonly tookMs: number;
  /** The attacker's description of its result. */
  readonly seen: string;
  /** Descriptions of faults; empty if the server withstood the attack. */
  readonly wrong: readonly string[];
}

export const heapMiB = 256;
export const maxPauseMs = 200;
const keys = { attacker: "key-of-the-attacker-0123456789", neighbour: "key-of-the-neighbour-0123456789" };
/** How long the neighbour is watched before and after the attack. */
const asideMs = 500;
const maxAttackMs = 300_000;
const mebibyte = 1024 ** 2;

const program = (name: string) => new URL(`${name}-program.ts`, import.meta.url).href;

export async function startBystanders(): Promise<Bystanders> {
  const stack = new AsyncDisposableStack();
  return {
    upstream: stack.use(await startChild<UpstreamAnswers>(program("upstream"))),
    control: stack.use(await startChild<ControlAnswers>(program("control"))),
    neighbour: stack.use(await startChild<NeighbourAnswers>(program("neighbour"))),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** The peak memory of a process, as Linux reports it; 0 if it has exited. */
async function peakBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1_024;
}

async function filledFolder({ fill }: Attack, stack: AsyncDisposableStack): Promise<string> {
  const data = await mkdtemp(path.join(tmpdir(), "troupe-attacks-"));
  stack.defer(() => rm(data, { recursive: true, force: true }));
  if (fill === undefined) return data;
  using database = openBeside(path.join(data, "troupe.db"));
  database.exec("PRAGMA journal_mode = WAL");
  migrate(database);
  fill(database);
  return data;
}

/** Starts a server with a small heap for one attack. */
async function startServer(
  attack: Attack,
  upstreamUrl: string,
  stack: AsyncDisposableStack,
): Promise<ServerProcess> {
  const data = await filledFolder(attack, stack);
  const server = createServerProcess({
    environment: {
      ...troupeEnvironment({ data, upstreamUrl }),
      NODE_OPTIONS: `--max-old-space-size=${heapMiB}`,
      TROUPE_API_KEYS: `${attacker}=${keys.attacker},neighbour=${keys.neighbour}`,
      ...attack.environment,
    },
  });
  stack.defer(() => server.kill());
  server.start();
  await server.listening();
  return server;
}

/** Plays an attack on a server of its own, while a neighbour receives an answer. */
export async function playAttack(attack: Attack, bystanders: Bystanders): Promise<Outcome> {
  await using stack = new AsyncDisposableStack();
  const { upstream, control, neighbour } = bystanders;
  const server = await startServer(attack, await upstream.ask("baseUrl"), stack);
  const url = server.url ?? "";
  const target: Target = {
    ...{ url, httpUrl: url.replace(/^ws(.*)\/ws$/, "http$1") },
    ...{ key: keys.attacker, otherKey: keys.neighbour },
  };
  let serverEnded = false;
  void server.ended().then(() => {
    serverEnded = true;
  });
  const attackers = stack.use(await startChild<AttackerAnswers>(program("attacker")));
  await upstream.ask("begin");
  await neighbour.ask("begin", url, keys.neighbour);
  await control.ask("watch", server.pid);
  await sleep(asideMs);
  const before = await server.rssBytes();

  const startedAtMs = performance.now();
  const seen = await Promise.race([
    attackers.ask("attack", attack.name, target),
    server.ended().then(() => "the server ended"),
    sleep(maxAttackMs, "the attack did not come to its end", { ref: false }),
  ]);
  const tookMs = performance.now() - startedAtMs;
  await sleep(asideMs);
  const peak = await peakBytes(server.pid);
  const words = await upstream.ask("endSteady");
  const report = await neighbour.ask("report");

  const pause = longestPause(report, await control.ask("takeStalls"));
  const growthMiB = (peak - before) / mebibyte;
  const wrong: string[] = [];
  if (serverEnded) wrong.push(`the server ended: ${server.faults.slice(0, 3).join(" ")}`);
  else if (server.faults.length > 0) wrong.push(`the server logged ${server.faults[0]}`);
  if (/^broken off|did not come/.test(seen)) wrong.push(seen);
  if (report.end !== "completed") wrong.push(`the neighbour's answer ended as ${report.end}`);
  else if (!isWhole(report.text, words) || report.finalText !== report.text)
    wrong.push("the neighbour's answer is not whole");
  if (pause.serverMs > maxPauseMs) wrong.push(`the neighbour waited ${pause.serverMs.toFixed(0)} ms`);
  if (growthMiB > attack.maxGrowthMiB) wrong.push(`the server took ${growthMiB.toFixed(0)} MiB more`);
  return { pause, growthMiB, tookMs, seen, wrong };
}

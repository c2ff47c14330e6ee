import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import net from "node:net";
import { it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { cpuMsOf } from "../../bench/machine/process-tree.ts";
import { connect, textOf, type WireClient } from "../support/wire-client.ts";
import { reportFigures } from "./record/report.ts";
import { startServer } from "./sockets/start-server.ts";
import { questionOf, wordsOf } from "./sockets/word-upstream.ts";

/** `OPEN_FILES_STREAMS` sets how many answers are running when the files run out. */
const streams = Number(process.env.OPEN_FILES_STREAMS ?? 20);
/** How many more files the server may open once it is limited: fewer than the clients that then connect. */
const filesLeft = 20;
const newcomers = 100;
const watchMs = 2_000;
const plan = { words: 80, intervalMs: 100 };

const openFilesOf = async (pid: number) => (await readdir(`/proc/${pid}/fd`)).length;

/** Sets only the soft limit, so that it can be raised again. */
function limitFiles(pid: number, soft: number | string): void {
  execFileSync("prlimit", ["--pid", String(pid), `--nofile=${soft}:`]);
}

/** Processor time of a process during a stretch of time, in milliseconds. */
async function cpuMsDuring(pid: number, ms: number): Promise<number> {
  const before = cpuMsOf(pid);
  await sleep(ms);
  return cpuMsOf(pid) - before;
}

function ask(client: WireClient, name: string): void {
  const asked = { ...plan, name };
  client.send({
    type: "openai_chat",
    id: name,
    data: { input_text: questionOf(asked), pacing: { mode: "raw" } },
  });
}

const textAsked = (name: string) => wordsOf({ ...plan, name }).join("");

it("a server that may open no more files", {
  skip: process.platform !== "linux" && "limits of another process are set by prlimit, on Linux",
}, async () => {
  await using system = await startServer({ LOG_LEVEL: "warn" });
  const { pid, faults } = system.server;
  await using cleanUp = new AsyncDisposableStack();
  const [hard] = /Max open files +(\d+)/.exec(await readFile(`/proc/${pid}/limits`, "utf8"))?.slice(1) ?? [];
  assert.ok(hard !== undefined);

  // All clients are connected and their answers are running.
  const client = await connect(system.url);
  const late = await connect(system.url);
  const names = Array.from({ length: streams }, (_, index) => `r${index}`);
  for (const name of names) ask(client, name);
  while (!names.every((name) => client.received.some((m) => m.type === "chunk" && m.request_id === name)))
    await client.next((message) => message.type === "chunk");

  const usualCpuMs = await cpuMsDuring(pid, watchMs);
  limitFiles(pid, (await openFilesOf(pid)) + filesLeft);
  const sockets = Array.from({ length: newcomers }, () => net.connect(Number(new URL(system.url).port)));
  cleanUp.defer(() => sockets.forEach((socket) => void socket.destroy()));
  let refused = 0;
  for (const socket of sockets) {
    socket.on("error", () => undefined);
    socket.on("close", () => {
      refused += 1;
    });
  }
  while (refused < newcomers / 2) await sleep(50);

  // A new answer needs a connection to its provider.
  ask(late, "late");
  const lateEnd = (await late.untilTerminal("late")).at(-1);
  const shortCpuMs = await cpuMsDuring(pid, watchMs);

  const whole = [];
  for (const name of names) whole.push(textOf(await client.untilTerminal(name)) === textAsked(name));

  const turnedAway = refused;
  // The server may open files again.
  limitFiles(pid, hard);
  for (const socket of sockets) socket.destroy();
  ask(late, "again");
  const again = textOf(await late.untilTerminal("again"));
  const newClient = await connect(system.url);
  ask(newClient, "new");
  const renewed = textOf(await newClient.untilTerminal("new"));

  reportFigures({
    program: "open-files",
    settings: { OPEN_FILES_STREAMS: streams },
    figures: {
      "answers under way": streams,
      "of them whole": whole.filter(Boolean).length,
      "connections that came": newcomers,
      "of them turned away": turnedAway,
      "a new answer meanwhile": lateEnd?.type === "error" ? lateEnd.code : String(lateEnd?.type),
      "CPU of the server in 2 s, before": `${(usualCpuMs / 1_000).toFixed(2)} s`,
      "the same meanwhile": `${(shortCpuMs / 1_000).toFixed(2)} s`,
      "lines in the log": faults.length,
      "an answer afterwards": again === textAsked("again") ? "whole" : "not whole",
      "of a new connection": renewed === textAsked("new") ? "whole" : "not whole",
    },
  });
  assert.ok(whole.every(Boolean));
  assert.ok(lateEnd?.type === "error" && lateEnd.code === "upstream_unreachable" && lateEnd.retryable);
  // A server that tried to accept waiting clients in a loop would use a whole core.
  assert.ok(shortCpuMs <= 3 * usualCpuMs + 200, `${shortCpuMs} ms beside ${usualCpuMs}`);
  assert.deepEqual(
    faults.map((line) => line.includes("EMFILE")),
    [true],
  );
  assert.deepEqual([again, renewed], [textAsked("again"), textAsked("new")]);
  for (const one of [client, late, newClient]) one.close();
});

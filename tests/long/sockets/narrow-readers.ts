import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import type { WordPlan } from "./word-upstream.ts";

const answer = z.object({
  name: z.string(),
  seqs: z.array(z.number()),
  text: z.string(),
  end: z.string(),
  cameBack: z.number(),
});
/** The part of its answer that a reader saw, over all its sockets. */
export type NarrowAnswer = z.output<typeof answer>;

export interface NarrowReaders extends AsyncDisposable {
  /** Settles when all have started to read their answers and have stopped. */
  readonly stalled: Promise<void>;
  /** Lets the first half read on, then the others. */
  goOn(): void;
  /** Settles with `count` answers, or with all answers once the readers have ended. */
  answers(count: number): Promise<readonly NarrowAnswer[]>;
}

export interface NarrowReadersOptions {
  readonly port: string;
  readonly count: number;
  /** The question that each asks, under its own name. */
  readonly plan: Omit<WordPlan, "name">;
}

const python = ["/usr/bin/python3", "/usr/local/bin/python3"].find(existsSync);
export const hasPython = python !== undefined;

/** Starts the readers of `narrow_readers.py`. */
export function startNarrowReaders(options: NarrowReadersOptions): NarrowReaders {
  if (python === undefined) throw new Error("no Python");
  const program = path.join(import.meta.dirname, "narrow_readers.py");
  const args = [options.port, String(options.count), JSON.stringify(options.plan)];
  const child = spawn(python, ["-B", program, ...args], { stdio: ["pipe", "pipe", "inherit"] });
  const stalled = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  const seen: NarrowAnswer[] = [];
  let wake = (): void => undefined;
  let over = false;
  createInterface({ input: child.stdout })
    .on("line", (line) => {
      if (line === "stalled") stalled.resolve();
      else seen.push(answer.parse(JSON.parse(line)));
      wake();
    })
    .on("close", () => {
      over = true;
      stalled.reject(new Error("the readers have ended"));
      ended.resolve();
      wake();
    });
  return {
    stalled: stalled.promise,
    goOn: () => child.stdin.write("on\n"),
    async answers(count) {
      while (seen.length < count && !over) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return seen;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended.promise;
    },
  };
}

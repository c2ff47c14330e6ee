import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

/** A program's answers to its parent, by the question's name. The arguments and each answer must survive JSON. */
export type Answers = Readonly<Record<string, (...asked: never[]) => unknown>>;
type Answered<A extends Answers> = { [Name in keyof A]: Awaited<ReturnType<A[Name]>> };

interface Question {
  readonly number: number;
  readonly name: string;
  readonly asked: readonly unknown[];
}

/** In a child: tells the parent that it is ready, and answers its questions as long as the parent is connected. */
export function answerParent(answers: Answers): void {
  process.on("message", async ({ number, name, asked }: Question) => {
    process.send?.({ number, answer: (await answers[name]?.(...(asked as never[]))) ?? null });
  });
  process.once("disconnect", () => process.exit());
  process.send?.({ ready: true });
}

export interface ChildProgram<A extends Answers> extends AsyncDisposable {
  /** Rejects if the program has ended. */
  ask<Name extends keyof A & string>(name: Name, ...asked: Parameters<A[Name]>): Promise<Answered<A>[Name]>;
}

/**
 * Starts a program of this folder, or at an address, in its own process, so that its heap and its processor time are its
 * own.
 */
export async function startChild<A extends Answers>(
  file: string,
  { args = [], flags = [] }: { args?: readonly string[]; flags?: readonly string[] } = {},
): Promise<ChildProgram<A>> {
  const child: ChildProcess = fork(new URL(file, import.meta.url), args, {
    execArgv: ["--conditions=troupe-source", ...flags],
  });
  const calls = new Map<number, PromiseWithResolvers<never>>();
  const ready = Promise.withResolvers<void>();
  const ended = once(child, "exit").then(([code, signal]) => {
    const error = new Error(`${file} ended with ${code ?? signal}`);
    ready.reject(error);
    for (const { reject } of calls.values()) reject(error);
  });
  let lastNumber = 0;
  child.on("message", (message: { ready?: true; number?: number; answer?: never }) => {
    if (message.ready === true) return ready.resolve();
    if (message.number === undefined) return;
    calls.get(message.number)?.resolve(message.answer as never);
    calls.delete(message.number);
  });
  await ready.promise;

  return {
    ask(name, ...asked) {
      lastNumber += 1;
      const call = Promise.withResolvers<never>();
      calls.set(lastNumber, call);
      if (child.connected) child.send({ number: lastNumber, name, asked });
      else call.reject(new Error(`${file} has ended`));
      return call.promise;
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      await ended;
    },
  };
}

import { type LevelWithSilent, pino } from "pino";
import { oneLine } from "./describe-cause.ts";
import type { Logger } from "./logger.ts";

/** What each line of pino's has. */
const usual = new Set(["level", "time", "pid", "hostname", "msg", "err"]);

/** Where the log goes: the standard error stream, or what stands for it in a test. */
export interface LogSink {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/**
 * The log of the command line: a JSON object a line, or, where a person reads it in a terminal, plain lines: `12:03:04 warn  a request
 * failed: ... request=r-1`. Stacks follow on lines of their own.
 */
export function openLog(level: LevelWithSilent, sink: LogSink = standardError()): Logger {
  if (sink.isTTY !== true) return pino({ level }, { write: (line) => void sink.write(line) });
  return pino({ level }, { write: (line) => void sink.write(asTerminalLine(line)) });
}

/** Written at once, so that the last words of a process that dies are in it. */
function standardError(): LogSink {
  const stream = pino.destination(2);
  // A terminal or a pipe that is gone takes nothing more; the server goes on.
  stream.on("error", () => undefined);
  return { isTTY: process.stderr.isTTY, write: (text) => stream.write(text) };
}

/** What pino wrote, for a reader. Of others' words nothing reaches the terminal that it would obey. */
function asTerminalLine(json: string): string {
  const entry = JSON.parse(json) as Record<string, unknown>;
  const { level, time, msg, err } = entry;
  const clock = new Date(Number(time)).toTimeString().slice(0, 8);
  const name = pino.levels.labels[Number(level)] ?? "info";
  const fields = Object.entries(entry).flatMap(([key, value]) =>
    usual.has(key) ? [] : [`${key}=${typeof value === "string" ? value : JSON.stringify(value)}`],
  );
  const stack = typeof err === "object" && err !== null ? Reflect.get(err, "stack") : undefined;
  const more = typeof stack === "string" ? stack.split("\n").map((line) => `\n    ${oneLine(line)}`) : [];
  return `${clock} ${name.padEnd(5)} ${oneLine([msg, ...fields].join(" "))}${more.join("")}\n`;
}

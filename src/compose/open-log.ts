import { hostname } from "node:os";
import { pino } from "pino";
import { oneLine } from "./describe-cause.ts";
import type { Logger } from "./log-observer.ts";
import type { Settings } from "./settings.ts";

/** Fields that every line of pino has. */
const usual = new Set(["level", "time", "pid", "hostname", "node", "msg", "err"]);

/** The target of the log: the standard error stream, or a test's replacement. */
interface LogSink {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

type LogSettings = Pick<Settings, "logLevel" | "logFormat"> & Partial<Pick<Settings, "nodeName">>;

/**
 * The log of the command line. As `json` it is one object a line. As `text` it is a readable line such as
 * `12:03:04 warn  a request failed: ... request=r-1`, and stacks follow on lines of their own. `auto` is text in a terminal only.
 */
export function openLog(
  { logLevel: level, logFormat, nodeName: node }: LogSettings,
  sink: LogSink = standardError(),
): Logger {
  const isText = logFormat === "text" || (logFormat === "auto" && sink.isTTY === true);
  const write = isText
    ? (line: string) => void sink.write(asTerminalLine(line))
    : (line: string) => void sink.write(line);
  return pino(
    { level, base: { pid: process.pid, hostname: hostname(), ...(node === undefined ? {} : { node }) } },
    { write },
  );
}

/** Writes at once, so that the last lines of a dying process are not lost. */
function standardError(): LogSink {
  const stream = pino.destination(2);
  // A closed terminal or pipe takes nothing more, but the server goes on.
  stream.on("error", () => undefined);
  return { isTTY: process.stderr.isTTY, write: (text) => stream.write(text) };
}

/** Formats a pino line for a reader. Control characters in foreign text never reach the terminal. */
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

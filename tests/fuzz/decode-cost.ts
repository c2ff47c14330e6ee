import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { ErrorCode } from "../../src/protocol/errors.ts";
import { wireLimits } from "../../src/protocol/limits.ts";

/** The cost of reading one frame. */
export interface DecodeCost {
  readonly name: string;
  readonly frameBytes: number;
  /** The code of the refusal, if the frame was refused. */
  readonly code?: ErrorCode;
  readonly field?: string | undefined;
  readonly detail?: string | undefined;
  /** The field with the costly value. */
  readonly path: string;
  /**
   * Processor time of reading it. `allowed` is derived from parsing it with `JSON.parse` and reading a plain question of
   * a megabyte.
   */
  readonly microseconds: number;
  readonly allowed: number;
  /** All memory that was allocated while reading it. */
  readonly bytes: number;
}

/** Reading may take this many times as long as parsing the frame and reading a plain one. */
const maxTimes = 4;
const maxBytes = 8 * wireLimits.messageBytes;
const program = fileURLToPath(new URL("decode-cost-program.ts", import.meta.url));
const youngGeneration = ["--min-semi-space-size=128", "--max-semi-space-size=128"];

/**
 * Reads every `shares`th costly frame in its own process. Throws with the frames that cost too much or are refused
 * wrongly.
 */
export async function checkDecodeCosts(shares: number): Promise<string> {
  const child = spawn(
    process.execPath,
    [...youngGeneration, "--conditions=troupe-source", program, String(shares)],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const closed = once(child, "close");
  const costs: DecodeCost[] = [];
  for await (const line of createInterface(child.stdout)) costs.push(JSON.parse(line) as DecodeCost);
  const [code] = await closed;
  assert.equal(code, 0, `the program ended after ${costs.at(-1)?.name}`);
  assert.deepEqual(costs.flatMap(faultsOf), []);
  const slowest = costs.toSorted((a, b) => b.microseconds - a.microseconds)[0];
  const largest = costs.toSorted((a, b) => b.bytes - a.bytes)[0];
  return `${costs.length} frames; ${describe(slowest)}; ${describe(largest)}`;
}

function faultsOf(cost: DecodeCost): string[] {
  const { name, microseconds, allowed, bytes, frameBytes } = cost;
  return [
    ...(frameBytes > wireLimits.messageBytes ? [`${name}: no server would read ${frameBytes} bytes`] : []),
    ...(microseconds > maxTimes * allowed
      ? [`${name}: ${microseconds} us, ${maxTimes} * ${allowed} at most`]
      : []),
    ...(bytes > maxBytes ? [`${name}: ${bytes} bytes were allocated`] : []),
    ...(isRightRefusal(cost) ? [] : [`${name}: ${cost.code} ${cost.field} ${cost.detail}`]),
  ];
}

/** A refusal names the field with the value, or a field inside it. A frame refused unread has only its size named. */
function isRightRefusal({ code, field, detail = "", path }: DecodeCost): boolean {
  if (code === undefined) return true;
  if (code === "invalid_json") return true;
  if (code === "unknown_type") return path === "type";
  if (code !== "invalid_message") return false;
  if (field === undefined)
    return /^(It is nested too deeply|It has too many|An object in it has too many)/.test(detail);
  return field === path || field.startsWith(`${path}.`) || path.startsWith(`${field}.`);
}

function describe(cost: DecodeCost | undefined): string {
  if (cost === undefined) return "none";
  const { name, microseconds, bytes } = cost;
  return `${name}: ${(microseconds / 1_000).toFixed(1)} ms, ${(bytes / 1e6).toFixed(1)} MB`;
}

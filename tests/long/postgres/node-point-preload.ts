import pg from "pg";
import { createDeath, watchSockets } from "../../crash/die-at.ts";
import type { NodePoint } from "./node-points.ts";

/** Loaded into a node: kills the process at the point that `FAIL_AT` describes as JSON, as a crash would. */
const point = JSON.parse(process.env.FAIL_AT ?? "null") as NodePoint | null;
const pass = createDeath(point);

interface Asked {
  readonly name: string;
  readonly values?: readonly unknown[];
}

function fits(
  { statement = "", parts = "", containing = "" }: NodePoint,
  { name, values = [] }: Asked,
): boolean {
  if (!name.startsWith(statement)) return false;
  const codes = name.slice(statement.length);
  return (
    [...parts].every((part) => codes.includes(part)) &&
    values.some((value) => String(value).includes(containing))
  );
}

function isNamed(asked: unknown): asked is Asked {
  return typeof asked === "object" && asked !== null && "name" in asked;
}

function watchStatements(chosen: NodePoint): void {
  const { query } = pg.Client.prototype;
  pg.Client.prototype.query = function (this: pg.Client, ...all: unknown[]) {
    const [asked, ...others] = all;
    if (!isNamed(asked) || !fits(chosen, asked)) return Reflect.apply(query, this, all);
    pass("before");
    const answer = Reflect.apply(query, this, [asked]) as unknown as Promise<pg.QueryResult>;
    // By then its bytes are with the system.
    setImmediate(() => pass("during"));
    const passed = answer.then((result) => {
      pass("after");
      return result;
    });
    const callback = others.at(-1);
    if (typeof callback !== "function") return passed;
    passed.then(
      (result) => callback(undefined, result),
      (fault: unknown) => callback(fault),
    );
    return undefined;
  } as typeof query;
}

if (point?.at === "send") watchSockets(point, pass);
if (point?.at === "statement") watchStatements(point);

import { parseArgs } from "node:util";

/** The arguments of `npm run bench`. */
export interface BenchOptions {
  /** Sides by name; empty for the sides of the plan. */
  readonly names: readonly string[];
  readonly isQuick: boolean;
  readonly isProfile: boolean;
  /** Measures the stores of Troupe, and no others. */
  readonly isPostgres: boolean;
  /** A folder with another checkout of this repository, measured beside this one. */
  readonly before?: string;
  readonly rounds?: number;
  /** Length of each measured window. */
  readonly windowMs?: number;
}

/** Reads the arguments. Throws an error with a message for the user if an argument is unknown or out of range. */
export function readOptions(args: readonly string[]): BenchOptions {
  const { values, positionals: names } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      profile: { type: "boolean", default: false },
      postgres: { type: "boolean", default: false },
      before: { type: "string" },
      rounds: { type: "string" },
      seconds: { type: "string" },
    },
    allowPositionals: true,
  });
  const { quick, profile, postgres, before, rounds, seconds } = values;
  return {
    names,
    isQuick: quick,
    isProfile: profile,
    isPostgres: postgres,
    ...(before === undefined ? {} : { before }),
    ...(rounds === undefined ? {} : { rounds: readRounds(rounds) }),
    ...(seconds === undefined ? {} : { windowMs: readSeconds(seconds) * 1_000 }),
  };
}

function readRounds(text: string): number {
  const rounds = Number(text);
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds takes a whole number from 1, not ${text}`);
  return rounds;
}

function readSeconds(text: string): number {
  const seconds = Number(text);
  if (!(seconds > 0 && seconds <= 60)) throw new Error(`--seconds takes a number up to 60, not ${text}`);
  return seconds;
}

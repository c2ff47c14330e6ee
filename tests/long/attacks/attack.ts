import type { DatabaseSync } from "node:sqlite";

/** The server as an attacker knows it. */
export interface Target {
  readonly url: string;
  readonly httpUrl: string;
  /** The attacker's own key. */
  readonly key: string;
  /** A key of another owner, used only to check whether that owner is served as before. */
  readonly otherKey: string;
}

/** An attack, played beside a neighbour, on a server of its own. */
export interface Attack {
  readonly name: string;
  /** Its effect on the server before the limit existed, measured on two cores. */
  readonly before: string;
  /** The setting or constant whose limit holds the attack off. */
  readonly limit: string;
  /** More variables for the server. */
  readonly environment?: Readonly<Record<string, string>>;
  /** How much more memory the server may use than at rest. */
  readonly maxGrowthMiB: number;
  /** Fills the empty database before the server starts. */
  readonly fill?: (database: DatabaseSync) => void;
  /** Attacks; settles with a description of the result. */
  readonly attack: (target: Target) => Promise<string>;
}

/** 1 is the size of the attacks that were reported. The smaller default is for every change. */
const scale = Number(process.env.ATTACKS_SCALE ?? 0.25);

/** Scales a number to the size of this run. */
export function scaled(full: number): number {
  return Math.ceil(full * scale);
}

/** Whether there is time to wait for the limits that take a minute. */
export const isLong = scale >= 1;
export const attacksScale = scale;
/** The owner of the filled rows. */
export const attacker = "attacker";

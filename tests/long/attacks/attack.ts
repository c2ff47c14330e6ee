import type { DatabaseSync } from "node:sqlite";

/** What an attacker knows of the server. */
export interface Target {
  readonly url: string;
  readonly httpUrl: string;
  /** The attacker's own key. */
  readonly key: string;
  /** A key of somebody else, only to look whether it is served as before. */
  readonly otherKey: string;
}

/** An attack as it is played beside a neighbour, on a server of its own. */
export interface Attack {
  readonly name: string;
  /** What it did to the server before there was the limit; measured on two cores. */
  readonly before: string;
  /** The limit that holds, by its setting or its constant. */
  readonly limit: string;
  /** More variables of the server. */
  readonly environment?: Readonly<Record<string, string>>;
  /** How much more memory the server may take than at rest. */
  readonly maxGrowthMiB: number;
  /** Fills the empty database before the server starts. */
  readonly fill?: (database: DatabaseSync) => void;
  /** Attacks; settles with what came of it, in words. */
  readonly attack: (target: Target) => Promise<string>;
}

/** 1 is the size of the attacks that were reported; smaller ones are for every change. */
const scale = Number(process.env.ATTACKS_SCALE ?? 0.25);

/** A number of things in this form of the run. */
export function scaled(full: number): number {
  return Math.ceil(full * scale);
}

/** Whether there is time to wait for the limits that take a minute. */
export const isLong = scale >= 1;
export const attacksScale = scale;
/** Whose the filled rows are. */
export const attacker = "attacker";

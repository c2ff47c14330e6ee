import type { Row } from "../database/row.ts";
import { DatabaseFault } from "./database-faults.ts";

/** Turns that are numbered without asking the database: a block of the incarnations' sequence. */
const turnsPerBlock = 2 ** 16;

/** Reads the next block, which no process has had. */
export const nextBlock = "SELECT nextval('incarnations') AS block";

/** The number of a block, from its row. Throws a `DatabaseFault` if its turns would have no exact numbers. */
export function blockIn(row: Row | undefined): number {
  const block = Number(row?.block);
  if (!Number.isSafeInteger(block * turnsPerBlock))
    throw new DatabaseFault("the database has no more numbers for turns");
  return block;
}

/** Returns a function that gives each turn a number of its own: those of the first block, then those of further ones. */
export function numberTurns(first: number, readBlock: () => Promise<number>): () => Promise<number> {
  let block = first;
  let given = 0;
  return async () => {
    if (given === turnsPerBlock) {
      block = await readBlock();
      given = 0;
    }
    given += 1;
    return block * turnsPerBlock + given - 1;
  };
}

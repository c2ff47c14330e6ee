import { collectWords, excerptOf, matchesTerms, searchTerms } from "../../ports/search-terms.ts";
import type { JobName, Row, StatementName, Value } from "./statements.ts";

/** Runs one statement. */
export type Ask = (name: StatementName, ...values: Value[]) => readonly Row[];

/** Work on the database that yields every few milliseconds; `rows` holds the results so far. */
export interface SlicedJob {
  readonly steps: Iterator<undefined, void>;
  readonly rows: Row[];
}

export function startJob(ask: Ask, name: JobName, values: readonly Value[]): SlicedJob {
  const rows: Row[] = [];
  return { rows, steps: jobs[name](ask, values, rows) };
}

const jobs = { search, wordsOfBlock } satisfies Record<JobName, unknown>;
const newest = Number.MAX_SAFE_INTEGER;

/**
 * Finds an owner's messages that contain all words, newest first. A block whose list of words lacks one of them is skipped without reading
 * its messages. Only the owner's blocks and messages are read.
 */
function* search(ask: Ask, values: readonly Value[], rows: Row[]): Generator<undefined, void> {
  const [owner = null, query, limit] = values;
  const terms = searchTerms(String(query));
  const words = terms.flatMap(({ parts, isPrefix }) =>
    parts.map((part, place) => `\n${part}${isPrefix && place === parts.length - 1 ? "" : "\n"}`),
  );
  for (let block = newest; ; ) {
    const [row] = ask("blockBefore", owner, block);
    if (row === undefined) return;
    block = Number(row.number);
    yield;
    const { words: known } = row;
    if (typeof known === "string" && !words.every((word) => known.includes(word))) continue;
    for (const message of messagesOf(ask, block, owner)) {
      yield;
      if (message.text === null || !(yield* matchesTerms(String(message.text), terms))) continue;
      const { conversation_id = null, id = null, title = null } = message;
      rows.push({
        conversation_id,
        id,
        title,
        excerpt: yield* excerptOf(String(message.text), String(query)),
      });
      if (rows.length === limit) return;
    }
  }
}

/** Lists a block's words for its row, with the version of the block that the list was made from. */
function* wordsOfBlock(ask: Ask, [block = null]: readonly Value[], rows: Row[]): Generator<undefined, void> {
  const [row] = ask("findBlock", block);
  if (row === undefined) return;
  const words = new Set<string>();
  for (const { text } of messagesOf(ask, block, row.owner ?? null)) {
    yield;
    if (text !== null) yield* collectWords(String(text), words);
  }
  rows.push({ version: row.version ?? null, words: `\n${[...words].join("\n")}\n` });
}

/** Yields the messages of a block, newest first; a message of a deleted conversation has no text. */
function* messagesOf(ask: Ask, block: Value, owner: Value): Generator<Row, void> {
  for (let message = newest; ; ) {
    const [row] = ask("messageInBlockBefore", block, message, owner);
    if (row === undefined) return;
    message = Number(row.number);
    yield row;
  }
}

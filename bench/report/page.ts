import os from "node:os";
import type { SideFigures } from "../measure-side.ts";
import { mostLagMs } from "../measures/streams.ts";
import { markMeanings } from "./cells.ts";
import { growthTable, overviewTable, type RunFigures, upstreamsTable } from "./tables.ts";

/** What would belong here as well, and why it is missing. */
const notToBeHad =
  "- `@portkey-ai/gateway` 1.15.2. **Not measured:** it answers every streamed call with 500 on Node 20 and 24 (`TypeError: immutable`, as it appends to headers that `fetch` gave).";

/** The page of a full run. */
export function renderPage(
  figures: RunFigures,
  { date, isPinned }: { date: string; isPinned: boolean },
): string {
  const cpus = os.cpus();
  return `# Benchmarks

Written by \`npm run bench\` on ${date}; do not edit. \`npm run bench -- --quick\` prints the first table in three minutes, \`npm run bench -- troupe\`
measures chosen sides (beside nginx), and \`npm run bench -- --profile troupe\` says where a side's time goes.

Machine: ${cpus[0]?.model.trim()}, ${cpus.length} cores, ${Math.round(os.totalmem() / 1_024 ** 3)} GiB, Linux ${os.release()}, Node ${process.versions.node}.
${isPinned ? "Each side has core 0 to itself; the provider's double and the client share core 1." : "The cores could not be told apart: the load disturbed what was measured."}
All sides were measured in this one run, one after the other, against the same double. What a figure is worth elsewhere is its ratio to
the others, not its size.

## The sides

${figures.sides.map(describeSide).join("\n")}
${notToBeHad}

Each brings the same streams of the Responses API to clients: a token is one \`response.output_text.delta\` event of some 250 bytes that carries
five characters. Of the sides only Troupe keeps what it sends, resumes, paces and stops.

## Cost beside nginx, which reads nothing of what it passes on

300 streams of 25 tokens a second, one a packet; then 200 answers a second of 25 tokens each, begun on connections that were there before.

${overviewTable(figures)}

- **CPU per token**: all threads and child processes of the side, user and kernel, by tokens that reached the client, in six seconds behind six in which
  the same streams ran: what a server costs that runs, while its runtime has compiled what runs often. A server that has just started
  costs half as much again for some seconds where that is V8. The answers of the last two columns have five seconds of others before them.
- **Lag beyond the rhythm**: the age of a chunk's oldest token when the client reads the chunk, since the double sent it, less 100 ms where
  the side's rhythm is one chunk each 100 ms (\`troupe\`, \`troupe-memory\`, \`troupe-fixed\`, \`node-relay\`); less nothing elsewhere. With
  \`natural\` and \`fixed\` a token may wait that long for its chunk and is late only beyond it.
- **Added to the first chunk**: from the question to the first token, less the same for a client that asks the double itself. A side's own rhythm
  counts here in full.

## More and more streams

30 tokens a second each, one a packet; 25 where it is counted how many streams a side holds, which it does while the p99 of its lag is at
most ${mostLagMs} ms.

${growthTable(figures)}

- **KiB a stream**: what the side holds at 1,000 streams (or the most it got to) over what it held before, by stream: buffers, connections both
  ways, in Troupe also the log of all that was said so far. **KiB an idle socket**: the growth from 1,000 to 10,000 sockets,
  which show a key where the side is Troupe; the others know none.

## Other upstreams

CPU per token at 300 streams where nothing else is said, as a ratio to nginx under the same; in parentheses in microseconds, and the lag beyond the
rhythm in milliseconds, p50 / p99.

${upstreamsTable(figures)}

## Marks

${markMeanings.map((meaning) => `- ${meaning}`).join("\n")}
`;
}

function describeSide({ side, missing }: SideFigures): string {
  const reason = missing === undefined ? "" : ` **Not measured:** ${missing.split("\n")[0]}.`;
  return `- \`${side?.name}\`: ${side?.about}.${reason}`;
}

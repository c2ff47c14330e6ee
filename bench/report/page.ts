import os from "node:os";
import type { RunFigures, SideFigures } from "../figures.ts";
import { maxLagMs } from "../measures/streams.ts";
import { markMeanings, ratioMeaning } from "./cells.ts";
import { growthTable, overviewTable, upstreamsTable } from "./tables.ts";

/** A side that belongs here too, and the reason why it is missing. */
const notToBeHad =
  "- `@portkey-ai/gateway` 1.15.2. **Not measured:** it answers every streamed call with 500 on Node 20 and 24 (`TypeError: immutable`, because it appends to the headers of a `fetch` response).";

/** How the sides are kept comparable. */
const howItMeasures = `The sides are measured in rounds. In each round every side starts again and warms up. Then the sides take turns with each load, for the same
few seconds each; only one side has a load at a time. A slow minute of the machine therefore slows all sides, and leaves their ratios as they
are. Each round starts with another side. On another machine the ratios between the sides hold, not the absolute figures.`;

/** The page of a full run. */
export function renderPage(
  figures: RunFigures,
  { date, isPinned }: { date: string; isPinned: boolean },
): string {
  const cpus = os.cpus();
  return `# Benchmarks

Written by \`npm run bench\` on ${date}; do not edit. \`npm run bench -- --quick\` prints the first table in four minutes.
\`npm run bench -- troupe\` measures chosen sides beside nginx. \`npm run bench -- --before ../old\` compares this checkout with another one.
\`npm run bench -- --profile troupe\` says where a side's time goes.

Machine: ${cpus[0]?.model.trim()}, ${cpus.length} cores, ${Math.round(os.totalmem() / 1_024 ** 3)} GiB, Linux ${os.release()}, Node ${process.versions.node}.
${isPinned ? "Each side has core 0 to itself; the provider's double and the client share core 1." : "The processes could not be pinned to cores: the load disturbed the measured side."}

${howItMeasures}
${ratioMeaning(figures.plan.rounds)} The table "More and more streams" is an exception: it was measured once for each side, one side after the other.

## The sides

${figures.sides.map(describeSide).join("\n")}
${notToBeHad}

Each side brings the same streams of the Responses API to clients, but for those that name another API. A token is one event that carries five
characters: a \`response.output_text.delta\` of some 250 bytes, or the event of the other API with the same text. Only Troupe stores its messages, resumes, paces and cancels.

## Cost beside nginx, which passes bytes on unread

The first columns: 300 streams of 25 tokens a second, one per packet. The last three: 200 new answers a second of 25 tokens each, on
connections that were already open.

${overviewTable(figures)}

- **CPU per token**: user and kernel time of all threads and child processes of the side, divided by the tokens that reached the client. In
  each round it is measured for ${figures.plan.windowMs / 1_000} seconds, in a server that has served 200 short answers and some seconds of streams. On V8, a server
  that has just started costs half as much again for some seconds.
- **Lag beyond the rhythm**: the age of a chunk's oldest token when the client reads the chunk, counted from its sending by the double. If the
  side sends one chunk every 100 ms (\`troupe\`, \`troupe-memory\`, \`troupe-fixed\`, \`node-relay\`), 100 ms are subtracted. With \`natural\` and
  \`fixed\`, a token may wait that long for its chunk and is late only after that.
- **Added to the first chunk**: the time from the question to the first token, less the same time for a client that asks the double itself. A
  side's own rhythm counts in full.

## More and more streams

Each stream has 30 tokens a second, one per packet. The number of streams held is counted at 25 tokens a second: a side holds its streams as
long as the p99 of its lag is at most ${maxLagMs} ms.

${growthTable(figures)}

- **KiB a stream**: growth of the side's memory up to 1,000 streams (or its maximum, if lower), per stream. It includes buffers, connections both
  ways and, in Troupe, the log of the whole answer so far. **KiB an idle socket**: growth from 1,000 to 10,000 sockets. Troupe's sockets show
  a key; the other sides have no keys.

## Other upstreams

Each cell holds CPU per token as a ratio to nginx with the same upstream, CPU per token in microseconds, and the lag beyond the rhythm in
milliseconds, p50 / p99. There are 300 streams unless the column says otherwise.

${upstreamsTable(figures)}

## Marks

${markMeanings.map((meaning) => `- ${meaning}`).join("\n")}
`;
}

function describeSide({ side, missing, rounds }: SideFigures): string {
  const fault = rounds.length === 0 ? "Not measured" : "Number of streams not measured";
  const reason = missing === undefined ? "" : ` **${fault}:** ${missing.split("\n")[0]}.`;
  return `- \`${side?.name}\`: ${side?.about}.${reason}`;
}

import { endings } from "./endings.ts";
import { runEnding } from "./run-ending.ts";

/** Run as a program of its own: `requests looks name...`. Prints a line of JSON for each ending. */
const [requests, looks, ...names] = process.argv.slice(2);
for (const name of names.length === 0 ? Object.keys(endings) : names) {
  const ending = endings[name];
  if (ending === undefined) throw new Error(`There is no ending "${name}".`);
  const startedAtMs = performance.now();
  const heaps = await runEnding(ending, { requests: Number(requests), looks: Number(looks) });
  console.log(JSON.stringify({ name, heaps, tookMs: performance.now() - startedAtMs }));
}

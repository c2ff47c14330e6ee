import { endings } from "./endings.ts";
import { runEnding } from "./run-ending.ts";

/** Runs in its own process: `requests looks warmUps name...`. Prints a line of JSON for each ending. */
const [requests, looks, warmUps, ...names] = process.argv.slice(2);
for (const name of names.length === 0 ? Object.keys(endings) : names) {
  const ending = endings[name];
  if (ending === undefined) throw new Error(`There is no ending "${name}".`);
  const options = { requests: Number(requests), looks: Number(looks), warmUps: Number(warmUps) };
  const heaps = await runEnding(ending, options);
  console.error(`${name}: ${heaps.join(" ")}`);
  console.log(JSON.stringify({ name, heaps }));
}

import assert from "node:assert/strict";
import { it } from "node:test";
import { endings } from "../memory/endings.ts";
import { playEndings } from "../memory/play-endings.ts";
import { reportFigures } from "./record/report.ts";

/** `ENDINGS_REQUESTS` changes how many end in each way, `ENDINGS_NAME` lets them end in ways whose name contains this. */
const requests = Number(process.env.ENDINGS_REQUESTS ?? 600);
const names = Object.keys(endings).filter((name) => name.includes(process.env.ENDINGS_NAME ?? ""));
const looks = 8;
/** What comes and goes in a heap of 30 MB between two looks, whatever was asked. A text that stays is a million bytes. */
const noiseBytes = 200_000;
const maxBytesPerRequest = 50;

it(`${requests} requests of 1 MB for each way to end: the heap stays as it is`, async () => {
  const played = await playEndings(names, { requests, looks });
  const between = (requests * (looks - 2)) / looks;
  const slopes = played.map(({ name, heaps, tookMs }) => {
    const [, early = 0] = heaps;
    const growth = (heaps.at(-1) ?? 0) - early;
    return { name, growth, bytesPerRequest: growth / between, tookMs };
  });
  reportFigures({
    program: "endings",
    settings: { ENDINGS_REQUESTS: requests },
    figures: Object.fromEntries(
      slopes.map(({ name, bytesPerRequest, tookMs }) => [
        name,
        `${bytesPerRequest.toFixed(1)} bytes a request; ${(tookMs / requests).toFixed(1)} ms each`,
      ]),
    ),
  });
  const wrong = slopes.filter(({ growth }) => growth > noiseBytes + maxBytesPerRequest * between);
  assert.deepEqual(wrong, []);
});

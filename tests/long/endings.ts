import assert from "node:assert/strict";
import { it } from "node:test";
import { endings } from "../memory/endings.ts";
import { playEndings } from "../memory/play-endings.ts";
import { slopeOf } from "../memory/slope-of.ts";
import { reportFigures } from "./record/report.ts";

/** `ENDINGS_REQUESTS` sets how many requests end in each way; `ENDINGS_NAME` chooses the ways whose name contains it. */
const requests = Number(process.env.ENDINGS_REQUESTS ?? 32);
const names = Object.keys(endings).filter((name) => name.includes(process.env.ENDINGS_NAME ?? ""));
const looks = Math.min(25, requests / 4);
const warmUps = 400;
/** A leaked request would keep at least its log of several hundred bytes, if not its text of a million. */
const maxBytesPerRequest = 100;
/** V8's own structures grow by several kilobytes at any moment. Over a few requests that is more than a log for each of them. */
const noiseBytes = 16_384;

it(`${requests} requests of 1 MB for each way to end: the heap has no slope`, async () => {
  const played = await playEndings(names, { requests, looks, warmUps });
  const apart = Math.floor(requests / looks);
  const slopes = played.map(({ name, heaps }) => {
    // The first large texts create buffers that stay.
    const { slope, standardError } = slopeOf(heaps.slice(Math.floor(looks / 4)));
    return { name, slope: slope / apart, standardError: standardError / apart };
  });
  reportFigures({
    program: "endings",
    settings: { ENDINGS_REQUESTS: requests },
    figures: Object.fromEntries(
      slopes.map(({ name, slope, standardError }) => [
        name,
        `${slope.toFixed(1)} bytes a request, standard error ${standardError.toFixed(1)}`,
      ]),
    ),
  });
  const wrong = slopes.filter(
    ({ slope, standardError }) => slope > maxBytesPerRequest + noiseBytes / requests + 3 * standardError,
  );
  assert.deepEqual(wrong, []);
});

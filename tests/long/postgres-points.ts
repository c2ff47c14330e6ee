import { after, describe, it } from "node:test";
import { answerPoints, type NamedPoints, takeoverPoints } from "./postgres/node-points.ts";
import { stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";
import { dieAtPoint, type PointKind } from "./postgres/run-node-points.ts";
import { reportFigures } from "./record/report.ts";

/** Parts of the names of the points to run, separated by commas, or `all`. */
const chosen = process.env.NODE_POINTS ?? "after the commit of a text,during the claim";
const isShort = process.env.NODE_POINTS === undefined;

describe("a node that is killed", { ...withPostgres, concurrency: 3 }, () => {
  let deaths = 0;
  after(stopShared);
  after(() => {
    const settings = isShort ? {} : { NODE_POINTS: chosen };
    reportFigures({ program: "postgres-points", settings, figures: { "kills at named points": deaths } });
  });

  function die(name: string, run: Parameters<typeof dieAtPoint>[0]): void {
    if (chosen === "all" || chosen.split(",").some((part) => name.includes(part)))
      it(name, async () => {
        await dieAtPoint(run);
        deaths += 1;
      });
  }

  function dieAtAll(kind: PointKind, isAnew: boolean, dies: "owner" | "taker", points: NamedPoints): void {
    for (const [name, point] of Object.entries(points)) {
      const isOfText = point.containing === '"type":"chunk"' || point.containing === '"type":"text"';
      // A request that asked for no streaming has no chunks.
      if (kind === "multi_chat_unstreamed" && isOfText) continue;
      die(`${kind}${isAnew ? ", answered again" : ""}: ${name}`, { kind, isAnew, point, dies });
    }
  }

  const kinds: readonly [PointKind, boolean][] = isShort
    ? [["chat", true]]
    : [
        ["openai_chat", true],
        ["chat", false],
        ["multi_chat_unstreamed", true],
      ];
  for (const [kind, isAnew] of kinds) {
    dieAtAll(kind, isAnew, "owner", answerPoints);
    dieAtAll(kind, isAnew, "taker", takeoverPoints);
  }
});

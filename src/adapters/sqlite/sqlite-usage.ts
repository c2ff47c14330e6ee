import { recordedCost, sumsOfPage, type UsageStore } from "../../ports/usage-store.ts";
import { firstPlace, sumsNames } from "../database/usage-groups.ts";
import { toLeftCall, toSpending, toUsageSum } from "../database/usage-rows.ts";
import type { SqliteStore } from "./sqlite-store.ts";
import type { Write } from "./statements.ts";

interface SqliteUsageOptions {
  readonly store: SqliteStore;
  /** Days for which a single call is kept; after that only its day's sums are kept. */
  readonly keepDays: number;
}

/** Maximum number of writes that wait during a storage outage; further ones are lost and reported as faults. */
const maxWaiting = 20_000;
/** One in this many calls also folds old ones. It folds several for each new one, so that old calls never pile up. */
const callsPerFolding = 4;

/** Usage in the database, committed together with the turns' events. */
export function createSqliteUsage({ store, keepDays }: SqliteUsageOptions): UsageStore {
  /** The number of writes that are not committed yet. */
  let waiting = 0;
  let calls = 0;

  function write(...writes: Write[]): void {
    store.write(writes, false).catch(store.report);
  }

  /** Writes a call's cost as soon as the storage takes it, because the call is paid for. */
  async function writeInTheEnd(...writes: Write[]): Promise<void> {
    if (waiting >= maxWaiting) return write(...writes);
    waiting += 1;
    try {
      await store.writeInTheEnd(writes);
    } catch (fault) {
      store.report(fault);
    } finally {
      waiting -= 1;
    }
  }

  // Ends the calls that an earlier server left open, because only one server at a time has the database. It is the first write of usage, so
  // no call of this server is among them.
  void writeInTheEnd(["endLeftUsage"]);

  return {
    begin(call) {
      const { id, owner, keyId, requestId = null, lane = null, api, model, day, atMs, isBegun } = call;
      const { call: number = 0, conversationId = null, inputTokens, outputTokens } = call;
      if (isBegun) void writeInTheEnd(["dropBegunUsage", owner, requestId, lane, number]);
      if (calls % callsPerFolding === 0)
        void writeInTheEnd(["foldUsage", day - keepDays], ["dropFoldedUsage", day - keepDays]);
      calls += 1;
      void writeInTheEnd([
        "beginUsage",
        ...[id, owner, keyId, requestId, lane, number, api, model],
        ...[day, atMs, inputTokens, outputTokens, conversationId],
      ]);
    },
    extend: (id, inputTokens, outputTokens) => write(["extendUsage", inputTokens, outputTokens, id]),
    end(id, { usage, outcome, day }) {
      const { inputTokens, outputTokens, estimated } = usage;
      const { usd = null, approximate = false } = recordedCost(usage) ?? {};
      const figures = [inputTokens, outputTokens, Number(estimated), outcome, usd, Number(approximate)];
      void writeInTheEnd(["endUsage", day, ...figures, id]);
    },
    async takeUp(day) {
      if ((await store.read("laterUsage", day)).length > 0) write(["redateUsage", day]);
      const spent = await store.read("spentOn", day);
      const left = await store.read("leftOn", day);
      return { spent: spent.map(toSpending), left: left.map(toLeftCall) };
    },
    async sums(owner, from, to, group = "model", { day, first, second } = firstPlace) {
      const rows = await store.read(sumsNames[group], owner, from, to, day, first, second, sumsOfPage);
      return rows.map((row) => toUsageSum(group, row));
    },
  };
}

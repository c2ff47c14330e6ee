import type { UsageStore } from "../../ports/usage-store.ts";
import type { SqliteStore } from "./sqlite-store.ts";
import type { Row, Write } from "./statements.ts";

export interface SqliteUsageOptions {
  readonly store: SqliteStore;
  /** Days after which a single call is kept no more, but as a part of its day's sums. */
  readonly keepDays: number;
  /** Hears of writes that failed. */
  readonly onFault: (fault: unknown) => void;
}

/** What was used, in the database, written together with what the turns say. */
export function createSqliteUsage({ store, keepDays, onFault }: SqliteUsageOptions): UsageStore {
  function write(...writes: Write[]): void {
    store.write(writes, false).catch(onFault);
  }

  /** One server at a time has the database, so whatever is open when it begins was left behind. */
  async function endLeft(): Promise<void> {
    const [left] = await store.read("leftUsage");
    if (typeof left?.last === "number") write(["endLeftUsage", left.last]);
  }
  endLeft().catch(onFault);

  return {
    begin(call) {
      const { id, owner, keyId, requestId = null, lane = null, api, model, day, atMs, isBegun } = call;
      const { inputTokens, outputTokens } = call;
      // For every call that comes in some old ones go, so that there is never a heap of them.
      if (isBegun) write(["dropBegunUsage", owner, requestId, lane]);
      write(
        ["foldUsage", day - keepDays],
        ["dropFoldedUsage", day - keepDays],
        [
          "beginUsage",
          ...[id, owner, keyId, requestId, lane, api, model],
          ...[day, atMs, inputTokens, outputTokens],
        ],
      );
    },
    extend: (id, inputTokens, outputTokens) => write(["extendUsage", inputTokens, outputTokens, id]),
    end(id, { usage: { inputTokens, outputTokens, estimated }, outcome, day }) {
      write(["endUsage", day, inputTokens, outputTokens, Number(estimated), outcome, id]);
    },
    async takeUp(day) {
      if ((await store.read("laterUsage", day)).length > 0) write(["redateUsage", day]);
      const rows = await store.read("spentOn", day);
      return rows.map((row) => ({ keyId: String(row.key_id), model: String(row.model), ...tokensOf(row) }));
    },
    async sums(owner, from, to) {
      const rows = await store.read("sumUsage", owner, from, to);
      return rows.map((row) => ({
        day: Number(row.day),
        api: String(row.api),
        model: String(row.model),
        calls: Number(row.calls),
        ...tokensOf(row),
        estimated: row.estimated === 1,
      }));
    },
  };
}

function tokensOf(row: Row) {
  return { inputTokens: Number(row.input_tokens), outputTokens: Number(row.output_tokens) };
}

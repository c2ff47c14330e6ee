import { decodeResumableRequest } from "../../../ports/stored-turn.ts";
import type { TurnRequest } from "../../../ports/turn-request.ts";
import type { Row } from "../../database/row.ts";
import { named } from "../connection.ts";
import type { PostgresStore } from "../postgres-store.ts";
import { type RunningRow, runningRow, runningTurns } from "../turn-rows.ts";

const statements = named({
  runningIn: `${runningTurns} WHERE owner = $1 AND conversation_id = $2 AND node IS NOT NULL AND node <> $3 ORDER BY began_ms, number`,
  begunIn: `${runningTurns} WHERE conversation_id = ANY (string_to_array($1, E'\\n')) AND node IS NOT NULL AND node <> $2 ORDER BY began_ms, number`,
  beganTurn: `${runningTurns} WHERE number = $1 AND node IS NOT NULL`,
  // A stop of all after a stop of one lane must not be lost.
  cancelTurn: `UPDATE turns SET cancels = coalesce(cancels, '[]') || to_jsonb(ARRAY[$3::text])
    WHERE owner = $1 AND id = $2 AND node IS NOT NULL AND node <> $4 RETURNING number`,
  cancelIn: `UPDATE turns SET cancels = coalesce(cancels, '[]') || '[null]'
    WHERE owner = $1 AND conversation_id = $2 AND node IS NOT NULL AND node <> $3
      AND EXISTS (SELECT 1 FROM fences WHERE incarnation = node) RETURNING number`,
  cancels: `SELECT number, cancels FROM turns WHERE node = $1 AND cancels IS NOT NULL`,
});

/** A turn that runs at another node, with its request. */
export interface PeerRow extends RunningRow {
  readonly request: TurnRequest;
}

/** Everything that this node reads and writes of the turns of others. */
export function createPeerRows(store: PostgresStore) {
  const { incarnation, query } = store;

  function toPeers(rows: readonly Row[]): PeerRow[] {
    return rows.flatMap((row) => {
      // Its kind has no followers of conversations, or an earlier version began it.
      if (typeof row.request !== "string") return [];
      try {
        const { request } = decodeResumableRequest(row.request, Number(row.version));
        return [{ ...runningRow(row), request }];
      } catch (fault) {
        store.report(fault);
        return [];
      }
    });
  }

  return {
    /** The turns of a conversation that run elsewhere, oldest first. */
    runningIn: async (owner: string, conversationId: string) =>
      toPeers(await query(owner, statements.runningIn, [owner, conversationId, incarnation])),
    begunIn: async (conversationIds: readonly string[]) =>
      toPeers(await query("", statements.begunIn, [conversationIds.join("\n"), incarnation])),
    began: async (turn: number) => toPeers(await query("", statements.beganTurn, [turn])),
    /** Notes that a client has stopped a turn that runs elsewhere, and returns its number if there is one. */
    async cancel(owner: string, id: string, personaId: string | undefined): Promise<number | undefined> {
      const values = [owner, id, personaId ?? null, incarnation];
      const [row] = await query(owner, statements.cancelTurn, values);
      return row === undefined ? undefined : Number(row.number);
    },
    /** The same for all turns of a conversation that nodes which live run elsewhere. */
    cancelIn: async (owner: string, conversationId: string) =>
      (await query(owner, statements.cancelIn, [owner, conversationId, incarnation])).map(({ number }) =>
        Number(number),
      ),
    /** The stops of turns here that clients of other nodes have asked for. */
    async cancels() {
      const rows = await query("", statements.cancels, [incarnation]);
      return rows.map(({ number, cancels }) => ({
        turn: Number(number),
        personaIds: Array.isArray(cancels)
          ? cancels.map((one) => (one === null ? undefined : String(one)))
          : [],
      }));
    },
  };
}

import { mock } from "node:test";
import pg from "pg";

/** From now on no message of a node of this process arrives. The returned function ends that. */
export function loseMessages(): () => void {
  const { query } = pg.Client.prototype;
  const lost = mock.method(pg.Client.prototype, "query", function lose(this: pg.Client, ...asked: unknown[]) {
    const [first] = asked;
    const isMessage = typeof first === "object" && first !== null && Reflect.get(first, "name") === "notify";
    return isMessage ? Promise.resolve({ rows: [] }) : Reflect.apply(query, this, asked);
  });
  return () => lost.mock.restore();
}

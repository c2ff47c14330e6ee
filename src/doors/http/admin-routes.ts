import { Hono } from "hono";
import type { NodeState, Nodes } from "../../ports/nodes.ts";
import type { ApiRoutes } from "./api-routes.ts";

export interface AdminRoutesOptions {
  readonly nodes: Pick<Nodes, "list">;
}

/** Routes that show the state of the servers. They exist only for the administrator. Throws `storage_unavailable`. */
export function createAdminRoutes({ nodes }: AdminRoutesOptions): ApiRoutes {
  const routes: ApiRoutes = new Hono();
  routes.use(async (context, next) =>
    context.get("isAdministrator") === true ? next() : context.notFound(),
  );
  routes.get("/nodes", async (context) => context.json({ nodes: (await nodes.list()).map(encodeNode) }));
  return routes;
}

function encodeNode({ incarnation, name, isSelf, state, turns, heartbeatAgeMs, hearsRedis }: NodeState) {
  return {
    ...{ incarnation, name, self: isSelf, state, turns, heartbeat_age_ms: heartbeatAgeMs },
    ...(hearsRedis === undefined ? {} : { hears_redis: hearsRedis }),
  };
}

import { Hono } from "hono";
import { z } from "zod";
import type { KeyStore, StoredKey } from "../../ports/key-store.ts";
import { optional } from "../../protocol/fields.ts";
import { digest } from "../identity/credentials.ts";
import type { ApiRoutes } from "./api-routes.ts";
import { decodeInput, readJson } from "./decode-input.ts";

const limit = optional(z.number().int().min(1).max(Number.MAX_SAFE_INTEGER));
/** Strict, because a misspelt limit would not limit. */
const newKey = z.strictObject({
  owner: z.string().regex(/^[\w.-]{1,64}$/, "1 to 64 of A-Z a-z 0-9 _ . -"),
  name: optional(
    z
      .string()
      .trim()
      .regex(/^\P{Cc}{1,80}$/u, "one line of 1 to 80 characters"),
  ),
  limits: optional(
    z.strictObject({
      connections: limit,
      requests_per_minute: limit,
      requests_in_flight: limit,
      tokens_per_day: limit,
    }),
  ),
});

export interface KeyRoutesOptions {
  readonly keys: KeyStore;
  /** Makes a key of at least 160 random bits. */
  readonly newSecret: () => string;
}

/** Routes to issue and revoke keys. They exist only for the administrator. Throws `invalid_message`. */
export function createKeyRoutes({ keys, newSecret }: KeyRoutesOptions): ApiRoutes {
  const routes: ApiRoutes = new Hono();
  routes.use(async (context, next) =>
    context.get("isAdministrator") === true ? next() : context.notFound(),
  );

  routes.get("/", async (context) => context.json({ keys: (await keys.list()).map(encodeKey) }));

  routes.post("/", async (context) => {
    const { owner, name, limits = {} } = decodeInput(newKey, await readJson(context.req.raw), "body");
    const key = newSecret();
    const stored = await keys.create(
      {
        owner,
        ...(name === undefined ? {} : { name }),
        limits: {
          ...(limits.connections === undefined ? {} : { connections: limits.connections }),
          ...(limits.requests_per_minute === undefined
            ? {}
            : { requestsPerMinute: limits.requests_per_minute }),
          ...(limits.requests_in_flight === undefined ? {} : { requestsInFlight: limits.requests_in_flight }),
          ...(limits.tokens_per_day === undefined ? {} : { tokensPerDay: limits.tokens_per_day }),
        },
      },
      digest(key),
    );
    return context.json({ ...encodeKey(stored), key }, 201);
  });

  routes.delete("/:id", async (context) => {
    if ((await keys.revoke(context.req.param("id"))) !== undefined) return context.body(null, 204);
    return context.json({ code: "key_not_found", message: "There is no such key." }, 404);
  });

  return routes;
}

function encodeKey({ id, owner, name, limits, createdAtMs, revokedAtMs }: StoredKey) {
  return {
    id,
    owner,
    ...(name === undefined ? {} : { name }),
    limits: {
      connections: limits.connections,
      requests_per_minute: limits.requestsPerMinute,
      requests_in_flight: limits.requestsInFlight,
      tokens_per_day: limits.tokensPerDay,
    },
    created_at: new Date(createdAtMs).toISOString(),
    ...(revokedAtMs === undefined ? {} : { revoked_at: new Date(revokedAtMs).toISOString() }),
  };
}

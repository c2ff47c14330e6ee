import assert from "node:assert/strict";
import { test } from "node:test";
import { startTroupe } from "../support/start-troupe.ts";

const key = "ada-0123456789abcdef";
const app = "https://app.example";

test("pages of allowed origins read answers under /api, and other pages get nothing", async () => {
  const apiKeys = [{ owner: "ada", key }];
  await using server = await startTroupe({ apiKeys, allowedOrigins: [app] });
  const call = async (origin: string, method: string, path: string, headers: Record<string, string> = {}) => {
    const response = await fetch(`${server.httpUrl}${path}`, { method, headers: { origin, ...headers } });
    const about = [...response.headers].filter(([name]) => name.startsWith("access-control-"));
    return { status: response.status, headers: Object.fromEntries(about) };
  };
  const preflight = {
    "access-control-request-method": "PATCH",
    "access-control-request-headers": "authorization",
  };
  const authorization = `Bearer ${key}`;
  const exposed = {
    "access-control-allow-origin": app,
    "access-control-expose-headers": "content-disposition,retry-after",
  };

  assert.deepEqual(await call(app, "OPTIONS", "/api/conversations/x", preflight), {
    status: 204,
    headers: {
      ...exposed,
      "access-control-allow-headers": "authorization,content-type",
      "access-control-allow-methods": "GET,POST,PATCH,DELETE",
      "access-control-max-age": "600",
    },
  });
  assert.deepEqual(await call(app, "GET", "/api/personas", { authorization }), {
    status: 200,
    headers: exposed,
  });
  assert.deepEqual(await call(app, "GET", "/api/personas"), { status: 401, headers: exposed });
  assert.deepEqual(await call(app, "POST", "/api/tickets", { authorization }), {
    status: 201,
    headers: exposed,
  });

  for (const origin of ["https://evil.example", "null", "https://app.example.evil.example", `${app}:8443`]) {
    for (const method of ["OPTIONS", "GET", "DELETE"]) {
      const { status, headers } = await call(origin, method, "/api/conversations/x", preflight);
      assert.deepEqual([status, headers], [401, {}], `${method} from ${origin}`);
    }
    assert.deepEqual((await call(origin, "GET", "/api/personas", { authorization })).headers, {});
  }
  // Pages of other origins may use nothing else.
  assert.deepEqual((await call(app, "GET", "/healthz")).headers, {});
});

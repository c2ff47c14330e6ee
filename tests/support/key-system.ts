import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import { type RunningTroupe, startTroupe } from "./start-troupe.ts";

export const adminKey = "admin-0123456789abcdef";

/** A key as it was given out. */
export interface MadeKey {
  readonly id: string;
  readonly key: string;
}

/** A server with an administrator. */
export interface KeySystem extends AsyncDisposable {
  readonly server: RunningTroupe;
  /** Sends one request under `/api`, by default with the administrator's key. */
  call(method: string, address: string, options?: { body?: unknown; key?: string | null }): Promise<Response>;
  /** Has a key made, and checks that this works. */
  makeKey(owner: string, more?: object): Promise<MadeKey>;
}

export const bearer = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });

/** Starts the server. Unless a data folder is named, it gets its own, which is deleted with it. */
export async function startKeySystem(options: TroupeOptions = {}): Promise<KeySystem> {
  const data = await mkdtemp(path.join(tmpdir(), "troupe-keys-"));
  const server = await startTroupe({ data, adminKey, ...options });
  const call: KeySystem["call"] = (method, address, { body, key = adminKey } = {}) =>
    fetch(`${server.httpUrl}${address}`, {
      method,
      ...(key === null ? {} : bearer(key)),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  return {
    server,
    call,
    async makeKey(owner, more = {}) {
      const response = await call("POST", "/api/keys", { body: { owner, ...more } });
      if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`);
      return (await response.json()) as MadeKey;
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await rm(data, { recursive: true });
    },
  };
}

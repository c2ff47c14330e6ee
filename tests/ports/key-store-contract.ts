import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KeyStore } from "../../src/ports/key-store.ts";

/** A new, empty store. */
export interface KeysUnderTest extends AsyncDisposable {
  readonly store: KeyStore;
}

/** The contract of `KeyStore`, for every adapter to run. */
export function describeKeyStore(name: string, create: () => Promise<KeysUnderTest>): void {
  describe(`${name} as the store of keys`, () => {
    it("gives a key back under its digest and under no other", async () => {
      await using under = await create();
      const { store } = under;
      const limits = { connections: 1, requestsPerMinute: 2, requestsInFlight: 3, tokensPerDay: 4 };
      const made = await store.create({ owner: "ada", name: "Ada's laptop", limits }, "digest-1");
      const { id, createdAtMs, ...rest } = made;
      assert.deepEqual(rest, { owner: "ada", name: "Ada's laptop", limits });
      assert.ok(id.length > 0 && Number.isInteger(createdAtMs));
      assert.deepEqual(await store.find("digest-1"), made);
      for (const other of ["DIGEST-1", "digest-", "digest-1 ", "", id])
        assert.equal(await store.find(other), undefined);
    });

    it("keeps absent fields absent", async () => {
      await using under = await create();
      const { store } = under;
      const { id: _, createdAtMs: __, ...rest } = await store.create({ owner: "bob", limits: {} }, "d");
      assert.deepEqual(rest, { owner: "bob", limits: {} });
      const [listed] = await store.list();
      assert.deepEqual(Object.keys(listed ?? {}).sort(), ["createdAtMs", "id", "limits", "owner"]);
    });

    it("lists all keys, the oldest first, an owner's as often as it has some", async () => {
      await using under = await create();
      const { store } = under;
      assert.deepEqual(await store.list(), []);
      const made = [];
      for (const [index, owner] of ["ada", "bob", "ada"].entries())
        made.push(await store.create({ owner, limits: {} }, `digest-${index}`));
      assert.deepEqual(await store.list(), made);
    });

    it("revokes a key for good and keeps it in the list", async () => {
      await using under = await create();
      const { store } = under;
      const [gone, stays] = [
        await store.create({ owner: "ada", limits: {} }, "one"),
        await store.create({ owner: "ada", limits: {} }, "two"),
      ];
      const heard: string[] = [];
      store.onRevoked((id) => heard.push(id));
      const revoked = await store.revoke(gone.id);
      assert.deepEqual(heard, [gone.id]);
      assert.deepEqual({ ...revoked, revokedAtMs: undefined }, { ...gone, revokedAtMs: undefined });
      assert.ok(Number.isInteger(revoked?.revokedAtMs));
      assert.equal(await store.find("one"), undefined);
      assert.deepEqual(await store.find("two"), stays);
      assert.deepEqual(await store.list(), [revoked, stays]);
      for (const id of [gone.id, "never-was", ""]) assert.equal(await store.revoke(id), undefined);
      assert.deepEqual(await store.list(), [revoked, stays]);
      assert.deepEqual(heard, [gone.id]);
    });
  });
}

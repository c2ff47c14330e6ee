import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { maxIdChars, type VendorIds, vendorIdRetentionMs } from "../../src/ports/vendor-ids.ts";
import type { TestClock } from "../support/test-clock.ts";

/** A new, empty store, and the clock that it uses. */
export interface VendorIdsUnderTest extends AsyncDisposable {
  readonly store: VendorIds;
  readonly clock: TestClock;
}

/** The contract of `VendorIds`, for every adapter to run. */
export function describeVendorIds(name: string, create: () => Promise<VendorIdsUnderTest>): void {
  describe(`${name} as the store of a vendor's ids`, () => {
    it("knows an id as its owner's only, in any spelling", async () => {
      await using under = await create();
      const { store } = under;
      await store.note("ada", ["resp_1", "conv_1"]);
      for (const id of ["resp_1", "conv_1"]) {
        assert.equal(await store.isOwn("ada", id), true);
        for (const other of ["bob", "Ada", "ada ", "", "anonymous"])
          assert.equal(await store.isOwn(other, id), false, other);
      }
      for (const id of ["RESP_1", "resp_", "resp_1 ", "", "resp%", "ada\nresp_1"])
        assert.equal(await store.isOwn("ada", id), false, id);
    });

    it("gives an id that a vendor has given out twice to the last one only", async () => {
      await using under = await create();
      const { store } = under;
      await store.note("ada", ["resp_1", "resp_2"]);
      await store.note("bob", ["resp_1", "resp_1"]);
      assert.deepEqual(
        [await store.isOwn("ada", "resp_1"), await store.isOwn("bob", "resp_1")],
        [false, true],
      );
      assert.equal(await store.isOwn("ada", "resp_2"), true);
    });

    it("keeps an id for its time and no longer; noting it again restarts its time", async () => {
      await using under = await create();
      const { store, clock } = under;
      await store.note("ada", ["early", "again"]);
      await clock.advance(vendorIdRetentionMs - 60_000);
      assert.deepEqual([await store.isOwn("ada", "early"), await store.isOwn("ada", "again")], [true, true]);
      await store.note("ada", ["again"]);
      await clock.advance(60_001);
      assert.deepEqual([await store.isOwn("ada", "early"), await store.isOwn("ada", "again")], [false, true]);
    });

    it("takes any number of ids, including ids that no request can name", async () => {
      await using under = await create();
      const { store } = under;
      const ids = Array.from({ length: 100 }, (_, index) => `resp_${index}`);
      await store.note("ada", ids);
      for (const id of ids) assert.equal(await store.isOwn("ada", id), true);
      await store.note("ada", []);
      await store.note("ada", ["x".repeat(maxIdChars + 1), "x".repeat(maxIdChars)]);
      assert.equal(await store.isOwn("ada", "x".repeat(maxIdChars)), true);
    });
  });
}

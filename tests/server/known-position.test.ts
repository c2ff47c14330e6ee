import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TroupeError } from "../../src/protocol/errors.ts";
import { checkPosition } from "../../src/server/followers.ts";

const isError = (code: string) => (error: unknown) => error instanceof TroupeError && error.code === code;

describe("a position that a client names", () => {
  /** A log that hears of its commits up to `head` while it confirms. */
  const behind = (head: number, confirm: () => Promise<unknown> = () => Promise.resolve()) => {
    const log = { headSeq: 3, ended: false, confirms: 0, confirm: () => Promise.resolve<unknown>(undefined) };
    log.confirm = () => {
      log.confirms += 1;
      return confirm().then(() => {
        log.headSeq = head;
      });
    };
    return log;
  };
  const check = (log: object, seq: number) => checkPosition({ log } as never, seq, "afterSeq");

  it("is known if the log has come to it, without asking", async () => {
    const log = behind(5);
    await check(log, 3);
    assert.equal(log.confirms, 0);
  });

  it("is known if the log comes to it with the commits that it had not heard of", async () => {
    const log = behind(5);
    await check(log, 5);
    assert.equal(log.confirms, 1);
  });

  it("is refused if the log has not come to it even then", async () => {
    await assert.rejects(check(behind(5), 6), isError("seq_out_of_range"));
  });

  it("is refused at once if the turn has ended, or if no other process can show its events", async () => {
    const ended = { ...behind(5), ended: true };
    await assert.rejects(check(ended, 4), isError("seq_out_of_range"));
    await assert.rejects(check({ headSeq: 3, ended: false }, 4), isError("seq_out_of_range"));
  });

  it("can be asked for again if this process may no longer know it", async () => {
    const lost = behind(5, () => Promise.reject(new Error("The fence is gone.")));
    await assert.rejects(check(lost, 4), isError("storage_unavailable"));
  });
});

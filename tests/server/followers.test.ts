import assert from "node:assert/strict";
import { test } from "node:test";
import { SocketEndedError } from "../../src/ports/socket.ts";
import type { KeptTurn, LogReader, TurnLog } from "../../src/ports/turn-log.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { Followers } from "../../src/server/followers.ts";

const fault = new Error("The log cannot be read.");
const unread: LogReader = { isOver: false, take: () => undefined, close: () => undefined };

/** A turn whose log opens as `open` says. */
function turnWith(open: TurnLog["open"]): KeptTurn {
  const log: TurnLog = {
    ...{ headSeq: 0, ended: false, isFull: false, unkept: undefined, open },
    append: async () => undefined,
    leave: () => undefined,
  };
  return { record: { owner: "ada", id: "r", contentHash: "hash" }, log };
}

function setUp() {
  const faults: unknown[] = [];
  const told: string[] = [];
  const counts = { watchers: 0 };
  const followers = new Followers(
    {
      deliver(requestId, batch, onTaken) {
        told.push(`${requestId} ${batch.type} ${batch.type === "unkept" ? batch.error.code : ""}`);
        setImmediate(onTaken);
      },
    },
    {
      turns: {
        watch() {
          counts.watchers += 1;
          return () => {
            counts.watchers -= 1;
          };
        },
      },
      observer: { faulted: ({ error }) => void faults.push(error) },
    },
  );
  return { faults, told, counts, followers };
}

const failing = () => {
  throw fault;
};
const broken: readonly (readonly [string, TurnLog["open"], () => Promise<void>])[] = [
  ["its log does not open", failing, async () => undefined],
  ["its log cannot be read", () => ({ ...unread, take: failing }), async () => undefined],
  ["the words before it cannot be sent", () => unread, () => Promise.reject(fault)],
];

for (const [name, open, before] of broken)
  test(`a follower ends, tells its client, is reported once and no longer counts when ${name}`, async () => {
    const { faults, told, counts, followers } = setUp();
    await followers.follow(turnWith(open), 0, before);
    assert.deepEqual(told, ["r unkept internal_error"]);
    assert.deepEqual(faults, [fault]);
    assert.equal(counts.watchers, 0);
    assert.equal(followers.has("r"), false);
    await followers.settle();
  });

test("a follower tells its client that the storage is away", async () => {
  const { told, followers } = setUp();
  const away = () => {
    throw new TroupeError("storage_unavailable");
  };
  await followers.follow(
    turnWith(() => ({ ...unread, take: away })),
    0,
  );
  assert.deepEqual(told, ["r unkept storage_unavailable"]);
});

test("a follower tells nothing to a connection that has ended", async () => {
  const { told, followers } = setUp();
  const ended = () => Promise.reject(new SocketEndedError("The connection has ended."));
  await followers.follow(
    turnWith(() => unread),
    0,
    ended,
  );
  assert.deepEqual(told, []);
});

test("a follower that fails after its connection has gone is no fault", async () => {
  const { faults, counts, followers } = setUp();
  const gate = Promise.withResolvers<void>();
  const followed = followers.follow(
    turnWith(() => unread),
    0,
    () => gate.promise,
  );
  const closed = followers.close();
  gate.reject(fault);
  await Promise.all([followed, closed]);
  assert.deepEqual([faults, counts.watchers], [[], 0]);
});

test("following again closes the reader before, and counts one follower", async () => {
  const { counts, followers } = setUp();
  let open = 0;
  const turn = turnWith(() => {
    open += 1;
    return {
      ...unread,
      close() {
        open -= 1;
      },
    };
  });
  void followers.follow(turn, 0);
  void followers.follow(turn, 0);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([open, counts.watchers], [1, 1]);
  await followers.close();
  assert.deepEqual([open, counts.watchers], [0, 0]);
});

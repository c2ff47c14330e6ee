import assert from "node:assert/strict";
import { createGate, type Gate, type Script, type Step } from "../doubles/script.ts";
import type { UpstreamDouble } from "../doubles/upstream-double.ts";
import { connect, isTerminal, type WireClient } from "../support/wire-client.ts";
import { checkTurn } from "./check-turn.ts";
import { passLoopTurns } from "./fault-bench.ts";
import { type ExpectedLane, type FaultCell, isStall, lanesOf, nameOf, requestOf } from "./fault-cell.ts";
import { createFaultStage, type FaultStage, longerThanSilenceMs } from "./fault-stage.ts";

/** Faults that may destroy text sent before them. They wait until the client has been shown that text. */
const destroyers = new Set(["reset", "fin-inside-chunked-body"]);

interface PlayedLane extends ExpectedLane {
  /** Opens when the client has been shown the lane's whole text. */
  readonly shown: Gate;
  /** Opens when the upstream sends nothing more and keeps the connection open. */
  readonly silent: Gate;
  /** Opens when the lane has its `persona_response`. */
  readonly ended: Gate;
}

/**
 * Plays one cell and asserts everything that the matrix demands. Returns the error code or the finish reason that the
 * fault led to. Cells that only time can end, or with their own address, get their own stage, because all cells on a
 * stage share one clock.
 */
export async function playCell(cell: FaultCell, shared: FaultStage): Promise<string> {
  const { baseUrl } = cell.shape;
  if (baseUrl === undefined && !isStall(cell)) return playOn(shared, cell);
  const unlucky = new Set(lanesOf(cell).flatMap((lane) => (lane.meetsFault ? [lane.personaId] : [])));
  const reroute = async (double: UpstreamDouble) => ({
    baseUrl: (await baseUrl?.(double.baseUrl)) ?? double.baseUrl,
    applies: (personaId: string | undefined) => unlucky.has(personaId),
  });
  await using own = await createFaultStage({
    vendor: shared.vendor,
    ...(baseUrl === undefined ? {} : { reroute }),
  });
  return await playOn(own, cell);
}

async function playOn(stage: FaultStage, cell: FaultCell): Promise<string> {
  const lanes = lanesOf(cell).map(
    (lane): PlayedLane => ({
      ...lane,
      shown: createGate(),
      silent: createGate(),
      ended: createGate(),
    }),
  );
  for (const { text, shown } of lanes) if (text === "") shown.open();
  stage.answer(nameOf(cell), (personaId) => scriptOf(cell, laneOf(lanes, personaId), stage));

  const client = await connect(stage.server.url);
  try {
    client.send(requestOf(cell));
    const passed = isStall(cell) ? letTimePass(stage, lanes) : undefined;
    await readToEnd(client, lanes);
    await passed;
    await Promise.all(stage.callsOf(nameOf(cell)).map(({ request }) => stage.double.closed(request)));
    await pingPong(client);
    const retries = checkTurn(client.received.slice(0, -1), lanes, cell.kind.startsWith("multi_chat"));
    lanes.forEach((lane, index) => {
      checkCalls(stage, cell, lane, retries[index] ?? 0);
    });
    assert.equal(stage.elsewhere.requests.length + stage.elsewhere.sideRequests.length, 0);
    const faulty = lanes.find((lane) => lane.meetsFault);
    return faulty?.code ?? faulty?.finishReason ?? "";
  } finally {
    client.close();
    await client.closed;
  }
}

function laneOf(lanes: readonly PlayedLane[], personaId: string | undefined): PlayedLane {
  const lane = lanes.find((candidate) => candidate.personaId === personaId);
  if (lane === undefined) throw new Error(`${personaId} was not asked`);
  return lane;
}

function scriptOf({ shape, moment }: FaultCell, lane: PlayedLane, { elsewhere, vendor }: FaultStage): Script {
  if (!lane.meetsFault) return vendor.says(lane.text);
  const context = {
    elsewhere: elsewhere.baseUrl,
    ...(destroyers.has(shape.name) ? { until: lane.shown.opened } : {}),
  };
  const tellSilence = async () => lane.silent.open();
  return shape.script(moment, context).flatMap((step): readonly Step[] =>
    // Repeating the same bytes is no progress either.
    "hang" in step || "repeat" in step ? [{ waitFor: tellSilence }, step] : [step],
  );
}

/** Reads until the terminal message and opens the lanes' gates on the way. */
async function readToEnd(client: WireClient, lanes: readonly PlayedLane[]): Promise<void> {
  const texts = new Map<PlayedLane, string>();
  await client.next((message) => {
    if (message.type === "error") assert.ok(message.seq !== undefined, `refused: ${message.message}`);
    if (message.type === "chunk") {
      const lane = laneOf(lanes, message.persona_id);
      const text = (texts.get(lane) ?? "") + message.chunk;
      texts.set(lane, text);
      if (text.length === lane.text.length) lane.shown.open();
    }
    if (message.type === "persona_response") laneOf(lanes, message.persona_id).ended.open();
    return isTerminal(message);
  });
}

/** Moves the time on while nothing else can bring a message. */
async function letTimePass({ clock }: FaultStage, lanes: readonly PlayedLane[]): Promise<void> {
  await Promise.all(
    lanes.flatMap(({ meetsFault, shown, silent, ended }) =>
      meetsFault ? [shown.opened, silent.opened] : [ended.opened],
    ),
  );
  await passLoopTurns();
  await clock.advance(longerThanSilenceMs);
}

/** Checks that the socket answers, and waits until everything sent before the answer has arrived. */
async function pingPong(client: WireClient): Promise<void> {
  await passLoopTurns();
  client.send({ type: "ping", id: "still-there" });
  const { length } = client.received;
  const message = await client.next();
  assert.deepEqual(message, { type: "pong", id: "still-there" }, "nothing comes after the terminal message");
  assert.equal(client.received.length, length + 1);
}

/** Checks that the upstream was called as often as the rule of retries allows, and that each repeat was announced. */
function checkCalls(stage: FaultStage, cell: FaultCell, lane: PlayedLane, retries: number): void {
  // A server without the route of the Responses API is asked over Chat Completions as well, which is no repeat.
  const calls = stage
    .callsOf(nameOf(cell))
    .filter(
      ({ personaId, request }) => personaId === lane.personaId && stage.vendor.isCall(request.path),
    ).length;
  // No double sees the calls to an unreachable address, so only their announcements can be counted.
  if (lane.meetsFault && cell.shape.baseUrl !== undefined) assert.equal(calls, 0);
  else assert.equal(calls, retries + 1, "each repeat was announced");
  assert.ok(
    retries + 1 >= lane.calls.least && retries + 1 <= lane.calls.most,
    `${retries + 1} calls, expected ${lane.calls.least} to ${lane.calls.most}`,
  );
}

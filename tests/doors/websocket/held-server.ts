import assert from "node:assert/strict";
import { createMemoryUsage } from "../../../src/adapters/memory/memory-usage.ts";
import { sha256 } from "../../../src/adapters/system/system.ts";
import { createMemoryTurnLogs } from "../../../src/adapters/turn-log/memory-turn-logs.ts";
import { openBudgets } from "../../../src/compose/open-budgets.ts";
import { defaultSettings } from "../../../src/compose/settings.ts";
import { Connection } from "../../../src/doors/websocket/connection.ts";
import { SharedFrames } from "../../../src/doors/websocket/outbox.ts";
import type { Fault } from "../../../src/ports/observer.ts";
import { createAdmission } from "../../../src/server/budget/admission.ts";
import { type Audience, Session } from "../../../src/server/session.ts";
import { createTurns } from "../../../src/server/turns.ts";
import { answering, createChatSetup } from "../../chat/chat-setup.ts";
import { noPrices } from "../../support/no-prices.ts";
import { heldSocket } from "./held-socket.ts";

export const maxInFlight = 4;

/** A whole server whose connections take nothing until they are told to. All of them are Ada's. */
export async function startHeld() {
  const { dependencies, clock, questions } = createChatSetup(answering("Hello."));
  const logs = createMemoryTurnLogs({ clock, retentionMs: 60_000, maxBytes: 1_000_000, questions });
  const budgets = await openBudgets(defaultSettings(), {
    clock,
    usage: createMemoryUsage(),
    prices: noPrices,
  });
  const turns = createTurns({
    chat: dependencies,
    logs,
    budgets,
    admission: createAdmission({
      budgets,
      maxPerKey: 10,
      maxPerOwner: 10,
      maxInAll: 10,
      maxBytesPerOwner: 1e9,
      maxBytes: 1e9,
    }),
    digest: sha256,
    isAdmitted: () => true,
    isMoneyLimited: false,
    turnLimitMs: 60_000,
    observer: {},
    onLeft: () => undefined,
  });
  const { conversations } = dependencies;
  const ofSessions = {
    ...{ turns, conversations, clock, maxInFlight, maxBytes: 1e9 },
    unnamedGraceMs: 10_000,
    observer: {},
  };
  const ofConnections = {
    frames: new SharedFrames(),
    defaultPacing: {
      mode: "raw" as const,
      chunkChars: { responses: 50, personas: 30 },
      intervalMs: 100,
      maxLagMs: 400,
    },
    observer: { faulted: ({ error }: Fault) => assert.fail(String(error)) },
  };
  const caller = { owner: "ada", keyId: "k", limits: {} };
  return {
    logs,
    turns,
    connect() {
      const held = heldSocket();
      const openSession = (audience: Audience) => new Session(ofSessions, caller, audience);
      return { held, connection: new Connection(held.socket, openSession, ofConnections) };
    },
  };
}

/** The sources that check permissions or count costs. A folder ends in a slash. Their threshold is higher. */
export const deciding: readonly string[] = [
  "src/adapters/cluster/primary/serve-budgets.ts",
  "src/adapters/cluster/primary/serve-keys.ts",
  "src/adapters/cluster/rpc/budget-hub.ts",
  "src/adapters/cluster/rpc/handshake-methods.ts",
  "src/adapters/cluster/rpc/key-hub.ts",
  "src/adapters/cluster/rpc/store-methods.ts",
  "src/adapters/cluster/worker/remote-budgets.ts",
  "src/adapters/cluster/worker/remote-keys.ts",
  "src/adapters/memory/memory-keys.ts",
  "src/adapters/memory/memory-tickets.ts",
  "src/adapters/memory/memory-usage.ts",
  "src/adapters/rate-limiter/",
  "src/adapters/sqlite/sqlite-keys.ts",
  "src/adapters/sqlite/sqlite-usage.ts",
  "src/adapters/sqlite/usage-statements.ts",
  "src/adapters/ws/",
  "src/chat/call.ts",
  "src/chat/meter.ts",
  "src/chat/usage.ts",
  "src/compose/open-prices.ts",
  "src/doors/http/",
  "src/doors/identity/",
  "src/server/budget/",
  "src/server/session.ts",
  "src/server/start-turn.ts",
];

/** Whether a source checks permissions or counts costs. */
export function isDeciding(file: string): boolean {
  return deciding.some((path) => (path.endsWith("/") ? file.startsWith(path) : file === path));
}

/** A kind of fault that machines, proxies, providers or clients show, and the tests that play its examples. */
export interface FaultKind {
  readonly kind: string;
  /**
   * Path of a test file, and a pattern for the tests in it (default: all). A test's name is joined to those of its suites
   * by " > ".
   */
  readonly tests: readonly (readonly [file: string, name?: RegExp])[];
}

const openai = (name: string) => [`tests/adapters/openai/${name}.test.ts`] as const;
const upstream = (name: string) => [`tests/adapters/upstream/${name}.test.ts`] as const;
const server = (name: string) => [`tests/server/${name}.test.ts`] as const;

export const faultKinds: readonly FaultKind[] = [
  // Providers.
  {
    kind: "a server that checks requests strictly",
    tests: [server("strict-input"), upstream("alternate-roles")],
  },
  {
    kind: "a final event that lacks streamed items",
    tests: [openai("streamed-output"), openai("shown-once"), server("recorded-streams")],
  },
  { kind: "a vendor's recorded stream, cut anywhere", tests: [openai("recorded-streams")] },
  { kind: "a final event whose type and status differ", tests: [openai("end-status")] },
  { kind: "a final event, an error or a body in another form", tests: [openai("stream-forms")] },
  { kind: "an error's code or text, and the pause that it asks for", tests: [upstream("stream-error")] },
  { kind: "a heartbeat", tests: [openai("heartbeat")] },
  { kind: "an overload reported inside a 200", tests: [["tests/faults/reported-failures.test.ts"]] },
  {
    kind: "reasoning that comes one token at a time",
    tests: [["tests/chat/pacing/reasoning-rhythm.test.ts"]],
  },
  {
    kind: "a name that a vendor or a client chose",
    tests: [server("names-of-others"), openai("tool-calls")],
  },
  {
    kind: "a model that takes minutes to load",
    tests: [["tests/faults/slow-start.test.ts"], ["tests/adapters/upstream/place-of.test.ts"]],
  },
  // Settings.
  {
    kind: "a proxy in the way, or an invalid one",
    tests: [
      ["tests/adapters/upstream/no-proxy.test.ts"],
      server("provider-proxies"),
      ["tests/compose/proxy-settings.test.ts"],
    ],
  },
  {
    kind: "an invalid, misspelt or ineffective setting",
    tests: [["tests/compose/read-settings.test.ts"], ["tests/compose/setting-notes.test.ts"]],
  },
  { kind: "settings in a file", tests: [["tests/cli/env-file.test.ts"]] },
  {
    kind: "a local server that is late, odd or gone",
    tests: [server("local-servers"), ["tests/compose/check-named-server.test.ts"]],
  },
  { kind: "an environment that an embedded server must not read", tests: [server("environment")] },
  { kind: "an application's provider that the server does not name", tests: [server("providers")] },
  {
    kind: "a validator's words shown to a user",
    tests: [["tests/protocol/fault-in.test.ts"], server("plain-refusals")],
  },
  // Clients, browsers and terminals.
  { kind: "a page outside a secure context", tests: [["tests/client/random-id.test.ts"]] },
  { kind: "a disconnect that is no failure", tests: [["tests/client/disconnect.test.ts"]] },
  {
    kind: "a request from another client or before a reload",
    tests: [["tests/client/stored-conversation.test.ts"], ["tests/react/request-store.test.ts"]],
  },
  { kind: "browser storage that is damaged or refused", tests: [["tests/page/page-memory.test.ts"]] },
  {
    kind: "a page that cannot connect",
    tests: [["tests/page/next-step.test.ts"], ["tests/page/words.test.ts"]],
  },
  { kind: "a provider's failure that a user must act on", tests: [["tests/faults/advice.test.ts"]] },
  { kind: "an unreadable log", tests: [["tests/cli/open-log.test.ts"]] },
  { kind: "a runner that ends before its server", tests: [["tests/cli/npm-start.test.ts"]] },
  {
    kind: "signals and closed outputs",
    tests: [["tests/cli/stop-on-signals.test.ts"], ["tests/cli/stop.test.ts"]],
  },
  // Storage, limits and replies.
  { kind: "a refusal that leaves data behind", tests: [server("refused-requests")] },
  { kind: "a repeated request after a change of settings", tests: [server("same-request")] },
  { kind: "a history that misses a prompt cache", tests: [server("prompt-prefix")] },
  {
    kind: "a failure that a client retries",
    tests: [server("retry"), ["tests/recovery/retry.test.ts"], ["tests/client/retry.test.ts"]],
  },
  { kind: "an end that cannot be stored", tests: [["tests/durable/unkept-ends.test.ts"]] },
  { kind: "a request larger than a day's budget", tests: [["tests/budget/larger-than-a-day.test.ts"]] },
  { kind: "a limit across several processes", tests: [["tests/cluster/exact-limits.test.ts"]] },
  {
    kind: "a message too large for its reader",
    tests: [["tests/doors/websocket/long-message.test.ts"], server("published-traffic")],
  },
  { kind: "an ambiguous reply", tests: [server("replies")] },
  { kind: "a promise of PROTOCOL.md over HTTP", tests: [server("http-promises")] },
  {
    kind: "messages missed while away",
    tests: [server("follow-position"), ["tests/client/follow.test.ts"]],
  },
];

/** The good and the bad values of a field. A bad value may come with the path, below the field, of the part at fault. */
export interface FieldKind {
  readonly good: readonly unknown[];
  readonly bad: readonly (readonly [value: unknown, below?: string])[];
}

const of = (good: readonly unknown[], ...bad: readonly unknown[]): FieldKind => ({
  good,
  bad: bad.map((value) => [value]),
});
const notStrings = [7, true, {}, []];
const notNumbers = ["1", "NaN", "", true, {}, [1]];
const notBooleans = ["true", 0, 1, {}, []];

/** Names that other systems made: any characters but control characters and halves of surrogate pairs. */
export const namesOfOthers = [
  ...[
    "a",
    "7",
    "Aa0_.:-",
    " ",
    "a b",
    " a ",
    "a/b",
    "../x",
    ".",
    "a%20",
    "a%2Fb",
    "a?b#c&d=e",
    "a\\b",
    "a'b\"c",
  ],
  ...[
    "cmVzcDo0Lzc+PQ==",
    "/models/Qwen3 8B.gguf",
    "http://host/v1",
    "\u00e4",
    "e\u0301",
    "\u0430",
    "\u{1f600}",
  ],
  ...["<b>", "$(x)", "{{x}}", "__proto__", "null", "\u200d", "\u202e"],
] as const;
const notNames = ["", "a\n", "\t", "\u0000", "\r\n", "a\u001b[0m", "\u007f", "\u0085", "\ud800", "a\udc00b"];

const nameOf = (maxChars: number) =>
  of(
    [...namesOfOthers, "x".repeat(maxChars), "\u{1f600}".repeat(maxChars)],
    ...[...notNames, "x".repeat(maxChars + 1), "\u{1f600}".repeat(maxChars + 1)],
    ...notStrings,
  );

/** Kinds by the name that the table of fields uses. The limits are the ones that PROTOCOL.md prints. */
export const fieldKinds = {
  id: nameOf(128),
  idOrStart: of(
    ["", ...nameOf(128).good],
    ...nameOf(128).bad.flatMap(([value]) => (value === "" ? [] : [value])),
  ),
  responseId: nameOf(1_024),
  text: of(
    ["a", " a", "\u0000", "\u{1f600}", "x".repeat(1_000_000)],
    ...["", " ", "\n", " \t\r\n\u00a0\u3000\ufeff", "x".repeat(1_000_001)],
    ...notStrings,
  ),
  model: nameOf(256),
  api: nameOf(64),
  temperature: of([0, 0.7, 2, -0], -1, 2.000001, 3, 1e9, ...notNumbers),
  tokenLimit: of([1, 1000, 1_000_000], 0, -1, 1.5, 1_000_001, 1e12, ...notNumbers),
  tokenBudget: of([1, 1000, 1_000_000_000], 0, -1, 1.5, 1_000_000_001, 1e308, ...notNumbers),
  seqOfError: of([1, 1000, 1_000_000_000], 0, -1, 1.5, 1_000_000_001, 1e308, ...notNumbers),
  flag: of([true, false], ...notBooleans),
  conversation: nameOf(128),
  fallback: {
    good: [[], [{}], [{ api: "a" }, { model: "m" }, { api: "a", model: "m" }], Array(8).fill({})],
    bad: [
      [Array(9).fill({})],
      [[{ api: "" }], "0.api"],
      [[{}, { model: "x".repeat(257) }], "1.model"],
      [["openai"], "0"],
      [[null], "0"],
      [{ api: "a" }],
      ["openai"],
    ],
  },
  members: {
    good: [
      [],
      [{ persona_id: "p" }],
      [{ persona_id: "p", api: "a", model: "m" }],
      Array(16).fill({ persona_id: "p" }),
    ],
    bad: [
      [Array(17).fill({ persona_id: "p" })],
      [[{}], "0.persona_id"],
      [[{ persona_id: "" }], "0.persona_id"],
      [[{ persona_id: "p", api: "x".repeat(65) }], "0.api"],
      [[{ persona_id: "p" }, { persona_id: "p", model: 7 }], "1.model"],
      [["p"], "0"],
      [[null], "0"],
      [{ p: { api: "a" } }],
      ["p"],
      [true],
    ],
  },
  personas: {
    good: [["skeptic"], ["skeptic", "skeptic"], Array(16).fill("p")],
    bad: [
      [[]],
      [Array(17).fill("p")],
      [Array(1_000).fill("p")],
      [["a\n"], "0"],
      [["a", null], "1"],
      ["skeptic"],
      [{ 0: "a" }],
    ],
  },
  tools: {
    good: [
      [],
      [{ type: "web_search" }],
      [{ type: "function", name: "f", parameters: { deep: [1, null] } }],
      Array(128).fill({ type: "t" }),
    ],
    bad: [
      [Array(129).fill({ type: "t" })],
      [{}],
      ["web_search"],
      [["web_search"], "0"],
      [[{}], "0.type"],
      [[{ type: "t" }, { type: "" }], "1.type"],
      [[{ type: 7 }], "0.type"],
      [[{ type: "t".repeat(65) }], "0.type"],
    ],
  },
  pacing: {
    good: [
      {},
      { mode: "raw" },
      { mode: "fixed", chunk_chars: 1, interval_ms: 10, max_lag_ms: 0 },
      { chunk_chars: 4096, interval_ms: 10_000, max_lag_ms: 60_000 },
    ],
    bad: [
      ["raw"],
      [[]],
      [{ mode: "fast" }, "mode"],
      [{ mode: "" }, "mode"],
      [{ chunk_chars: 0 }, "chunk_chars"],
      [{ chunk_chars: 4097 }, "chunk_chars"],
      [{ chunk_chars: 1.5 }, "chunk_chars"],
      [{ interval_ms: 9 }, "interval_ms"],
      [{ interval_ms: 10_001 }, "interval_ms"],
      [{ max_lag_ms: -1 }, "max_lag_ms"],
      [{ max_lag_ms: "400" }, "max_lag_ms"],
      [{ rhythm: "slow" }, "rhythm"],
    ],
  },
  onDisconnect: of(["finish", "cancel", 0, 3_600_000], "", "stop", -1, 1.5, 3_600_001, true, {}, []),
  onInterrupt: of(["error", "restart"], "", "finish", 0, true, {}, []),
  seq: of([0, 1, 2 ** 53 - 1], -1, 0.5, 2 ** 53, 1e308, ...notNumbers),
  options: {
    good: [
      {},
      { store: false, metadata: { a: "b" }, conversation: "conv/1+=", service_tier: "on_demand" },
      {
        conversation: { id: "conv_1", object: "conversation" },
        truncation: "some",
        tool_choice: { type: "function", name: "f" },
        tool_choice_: undefined,
      },
      { temperature: 2, top_p: 0, top_logprobs: 20, max_output_tokens: 1, max_tool_calls: 10_000 },
    ],
    bad: [
      ["store"],
      [[]],
      [{ temprature: 1 }, "temprature"],
      [{ stream: false }, "stream"],
      [{ input: "x" }, "input"],
      [{ model: "m" }, "model"],
      [{ temperature: 3 }, "temperature"],
      [{ top_p: 1.01 }, "top_p"],
      [{ top_logprobs: 21 }, "top_logprobs"],
      [{ max_tool_calls: 0 }, "max_tool_calls"],
      [{ store: "yes" }, "store"],
      [{ include: "all" }, "include"],
      [{ include: [1] }, "include.0"],
      [{ metadata: { a: 1 } }, "metadata.a"],
      [{ metadata: { a: { b: "c" } } }, "metadata.a"],
      [{ conversation: "a\nb" }, "conversation"],
      [{ conversation: { id: "" } }, "conversation.id"],
      [{ conversation: {} }, "conversation.id"],
      [{ truncation: "a\n" }, "truncation"],
      [{ service_tier: "" }, "service_tier"],
      [{ service_tier: "x".repeat(65) }, "service_tier"],
      [{ reasoning: "high" }, "reasoning"],
      [{ user: "u".repeat(257) }, "user"],
    ],
  },
} as const satisfies Record<string, FieldKind>;

export type FieldKindName = keyof typeof fieldKinds;

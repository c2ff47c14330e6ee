import type { RequestType } from "../client/index.ts";

/**
 * How a field's text becomes a value of the message. Text that does not fit is sent as it is, so that the reader sees the server's
 * answer.
 */
type FieldKind = "text" | "lines" | "number" | "json" | "choice" | "flag";
type FieldGroup = "main" | "model" | "conversation" | "advanced";

export interface Field {
  /** Path within `data`, e.g. `pacing.mode`. */
  readonly path: string;
  readonly kind: FieldKind;
  readonly label: string;
  readonly types: readonly RequestType[];
  readonly group: FieldGroup;
  readonly hint?: string;
  readonly placeholder?: string;
  /** The initial content. */
  readonly initial?: string;
  readonly choices?: readonly string[];
  /** For a flag: the initial value, which is not sent. */
  readonly usual?: boolean;
  /** Label of the button that fills the field in. */
  readonly fill?: string;
  readonly list?: string;
}

const personaTypes: readonly RequestType[] = ["chat", "multi_chat"];
const everyType: readonly RequestType[] = ["chat", "multi_chat", "openai_chat"];
const modelOnly: readonly RequestType[] = ["openai_chat"];

/** Every field of the three messages except the personas, which have their own picker. An empty field is not sent. */
export const fields: readonly Field[] = [
  {
    path: "message",
    kind: "lines",
    label: "Message",
    types: personaTypes,
    group: "main",
    initial: "What do you think about AI?",
  },
  {
    path: "input_text",
    kind: "lines",
    label: "Message",
    types: modelOnly,
    group: "main",
    initial: "Hello, world!",
  },

  {
    path: "api",
    kind: "text",
    label: "Provider",
    types: everyType,
    group: "model",
    placeholder: "the server’s",
    list: "apis",
  },
  {
    path: "model",
    kind: "text",
    label: "Model",
    types: everyType,
    group: "model",
    placeholder: "the server’s",
    list: "models",
  },
  {
    path: "members",
    kind: "json",
    label: "Providers of single personas, a JSON array",
    types: ["multi_chat"],
    group: "model",
    placeholder: '[{"persona_id": "teacher", "api": "anthropic"}]',
  },
  {
    path: "fallback",
    kind: "json",
    label: "If a call fails, a JSON array",
    types: everyType,
    group: "model",
    placeholder: '[{"api": "groq"}]',
  },
  {
    path: "temperature",
    kind: "number",
    label: "Temperature, 0 to 2",
    types: personaTypes,
    group: "model",
    placeholder: "the provider’s",
  },
  {
    path: "max_tokens",
    kind: "number",
    label: "Max tokens of an answer",
    types: personaTypes,
    group: "model",
    placeholder: "the provider’s",
  },
  {
    path: "include_reasoning",
    kind: "flag",
    label: "Stream a summary of the reasoning",
    types: modelOnly,
    group: "model",
    usual: false,
  },
  {
    path: "include_sources",
    kind: "flag",
    label: "Show the sources of the answer",
    types: everyType,
    group: "model",
    usual: false,
  },
  {
    path: "include_usage",
    kind: "flag",
    label: "Count the tokens while it answers",
    types: everyType,
    group: "model",
    usual: false,
  },
  {
    path: "tools",
    kind: "json",
    label: "Tools, a JSON array",
    types: modelOnly,
    group: "model",
    placeholder: '[{"type": "web_search"}]',
  },

  {
    path: "conversation_id",
    kind: "text",
    label: "Conversation",
    types: personaTypes,
    group: "conversation",
    hint: "Empty: the connection’s own. “new” begins another.",
    fill: "Use last",
    list: "conversations",
  },
  {
    path: "previous_response_id",
    kind: "text",
    label: "Response to continue",
    types: modelOnly,
    group: "conversation",
    hint: "The id of an earlier response.",
    fill: "Use last",
  },

  {
    path: "stream",
    kind: "flag",
    label: "Stream the text (off: whole answers only)",
    types: ["multi_chat"],
    group: "advanced",
    usual: true,
  },
  {
    path: "pacing.mode",
    kind: "choice",
    label: "Pacing",
    types: everyType,
    group: "advanced",
    choices: ["natural", "fixed", "raw"],
  },
  {
    path: "pacing.chunk_chars",
    kind: "number",
    label: "Max characters of a chunk",
    types: everyType,
    group: "advanced",
  },
  {
    path: "pacing.interval_ms",
    kind: "number",
    label: "Time between chunks, ms",
    types: everyType,
    group: "advanced",
  },
  { path: "pacing.max_lag_ms", kind: "number", label: "Max lag, ms", types: everyType, group: "advanced" },
  {
    path: "on_disconnect",
    kind: "number",
    label: "When the connection drops",
    types: everyType,
    group: "advanced",
    hint: "“finish”, “cancel”, or the milliseconds to wait for someone to come back.",
  },
  {
    path: "on_interrupt",
    kind: "choice",
    label: "When the server stops",
    types: everyType,
    group: "advanced",
    hint: "“restart” answers again what was cut off.",
    choices: ["error", "restart"],
  },
  {
    path: "options",
    kind: "json",
    label: "Further Responses API parameters, a JSON object",
    types: modelOnly,
    group: "advanced",
    placeholder: '{"instructions": "Be brief."}',
  },
];

/** A quirk's number, our behaviour, and the row of its test's table as the file has it, if the test has a table. */
type Shown = readonly [number: number, behaviour: string, row?: string];

/** The quirks of upstream APIs, by the file of their test below `tests/` and its title. `…` is a part that a row fills in. */
export const shownQuirks: Readonly<Record<string, Readonly<Record<string, readonly Shown[]>>>> = {
  "adapters/chat-completions/chat-machine.test.ts": {
    "ignores chunks without a choice, without a delta, and of other choices": [
      [1, "Azure's first chunk has filters and no model, and changes nothing.", "prompt_filter_results: []"],
      [2, "A chunk may lack its choices.", 'frame({ id: "c-1" })'],
      [3, "A choice may lack its delta.", "chunk(undefined,"],
    ],
    "reads reasoning as …, before the answer": [
      [9, "Both names of vLLM's field for reasoning are read.", '["reasoning_content", "reasoning"]'],
    ],
    "reads content in parts, between contents as text": [
      [11, "Mistral's content may change between a string and a list."],
    ],
    "reads … as …": [
      [12, "A full context window ends an answer by length.", '["model_context_window_exceeded", "length"]'],
    ],
    "reads the usage …": [
      [30, "Moonshot's usage is found in the choice.", '"in the choice"'],
      [31, "xAI's empty chunk after the usage changes nothing.", '"before an empty last chunk"'],
      [47, "Usage may share a chunk with the finish reason.", '"in the finish chunk"'],
    ],
    "ends as … if the stream …": [
      [44, "LM Studio's empty answer to a long prompt is a failure.", '"is whole and empty"'],
      [51, "Two events that a server ran together are no answer.", '"has half an event"'],
      [59, "DeepSeek's lack of resources is a failure.", '"has no resources"'],
    ],
    "takes an empty finish reason for none": [
      [48, "Old versions of Ollama finish every chunk with nothing."],
    ],
    "ends as …: …": [
      [60, "A body that is no stream is read: an answer, an error, or invalid.", '"upstream_invalid"'],
    ],
    "is whole if the connection breaks after the finish reason": [
      [61, "An answer is whole if only its usage was cut off."],
    ],
  },
  "adapters/chat-completions/chat-params.test.ts": {
    "has one system message, alternating roles, and the note last": [
      [14, "An empty answer of the assistant is not sent."],
      [20, "Neighbours of one role are joined."],
      [21, "All system texts are one message."],
    ],
    "is nothing but the model, the messages and the question for usage, if nothing else is asked": [
      [49, "Ollama is asked for its usage."],
    ],
  },
  "adapters/chat-completions/omissions.test.ts": {
    "is left out at once and from then on: …": [
      [23, "A refused limit is sent under its other name.", '"max_tokens",'],
      [24, "A refused temperature is left out.", '["temperature", refusal('],
      [25, "A refused question for usage is left out.", '["stream_options", refusal('],
    ],
  },
  "adapters/chat-completions/tool-calls.test.ts": {
    "are the reason of the end, although the server says stop": [
      [36, "An answer with calls ends as one, whatever Gemini's compatible endpoint says."],
    ],
    "are told apart …": [
      [40, "Two calls under one index stay two.", '"by a second object under a used index"'],
      [42, "Arguments that are no JSON are told as they came.", '"with malformed arguments, as they are"'],
    ],
    "are told when they begin and when they are whole, and are the items of the answer": [
      [41, "An empty name in a later piece does not rename a call.", 'name: "", arguments: args'],
    ],
  },
  "adapters/chat-completions/server-quirks.test.ts": {
    "… are no events, and no progress": [
      [4, "OpenRouter's comments do not keep a silent call alive.", '"as comments"'],
      [5, "Nor do comments that a gateway sends as data.", '"as data"'],
    ],
    "with a status as code, beside a choice that finishes or without any (OpenRouter)": [
      [6, "The code of OpenRouter's failure is read as an HTTP status."],
    ],
    "in an object with or without a type, although the stream just ends then": [
      [7, "A failure is told as itself, although no end marker follows."],
      [43, "LM Studio's failure without a type is read by its words."],
    ],
    "for a request that was not valid, under the status of success (llama.cpp)": [
      [45, "llama.cpp's refusal inside a stream is an invalid request."],
    ],
    "by an empty chunk and nothing more (Ollama)": [[50, "Ollama's hidden failure is an answer cut short."]],
    "for a prompt that is larger than the context, with either status (llama.cpp)": [
      [46, "llama.cpp's full context has its own code under every status."],
    ],
    "in a list (Gemini's compatible endpoint)": [[38, "A refusal in a list is read like any other."]],
    "name the form of the answer that cannot be streamed (Groq)": [
      [29, "Groq's refusal to stream JSON names the parameter."],
    ],
    "name the effort whose word another model uses (Groq)": [
      [53, "A word for effort that a model does not know is an error that names it."],
    ],
    "leave out effort and stop texts, for models that take none": [
      [52, "xAI's refusal of stop texts is learned."],
    ],
    "usage in Groq's object and again in a last chunk counts once": [
      [28, "Groq tells its usage twice; it counts once."],
    ],
    "usage may share its chunk with the last text and the finish reason": [
      [39, "Usage beside the last text is read, and the text too."],
    ],
    "calls without an index come signed by Google, and go back to their model with the signature": [
      [37, "Calls without an index are told apart, and Gemini gets its signatures back."],
    ],
    "reasoning in parts goes on over empty deltas, and does not come back to Mistral": [
      [13, "Empty deltas do not end reasoning, and Mistral is sent none of it."],
    ],
    "have plain texts in usual roles, and no other field: …": [
      [8, "Content is a string if there is nothing but text."],
      [22, "No server is sent the role `developer`."],
      [27, "Groq is sent messages of a role and a content.", "api.groq.com"],
    ],
    "have no `strict` without a value, because LM Studio takes only true and false": [
      [26, "`strict` is sent as true or false, or not at all."],
    ],
    "mark nothing for a cache at Bedrock": [[55, "No request to Bedrock marks anything for its cache."]],
  },
  "adapters/anthropic/messages-machine.test.ts": {
    "… is …, also if the connection then ends (Q17)": [
      [17, "Anthropic's overload inside a stream is told, with or without an end.", '"overloaded_error"'],
    ],
    "padded before the last brace are read (Q18)": [[18, "Spaces before an event's last brace are skipped."]],
    "takes the later count, but not the zeros or the nothing of a gateway (Q58)": [
      [58, "A count that a gateway leaves out does not replace the first one."],
    ],
  },
  "adapters/anthropic/messages-params.test.ts": {
    "has no white space at the end of a last answer (Q15), and no empty text (Q16)": [
      [15, "A last answer is sent to Anthropic without its final white space."],
      [16, "A text of white space alone is not sent to Anthropic."],
    ],
  },
  "adapters/anthropic/answer-blocks.test.ts": {
    "that is redacted is kept and not shown (Q19)": [[19, "Encrypted thinking is kept and not shown."]],
  },
  "adapters/gemini/contents-machine.test.ts": {
    "is an empty answer, worth repeating, if it stops with nothing at all": [
      [32, "Gemini's stop with nothing shown is worth another call."],
    ],
    "is the end of the body after a finish reason, in a chunk with or without parts": [
      [33, "Gemini's finish reason may come without parts."],
    ],
    "is a failure that may pass for …, without content": [
      [34, "Gemini's broken call is a failure that may pass.", '"MALFORMED_FUNCTION_CALL"'],
    ],
    "is filtered for a prompt that is blocked, without a candidate": [
      [35, "A prompt that Gemini blocks gives a filtered answer without text."],
    ],
  },
  "adapters/openai/answer-items.test.ts": {
    "go back as they came, without the vendor's ids": [
      [54, "A call goes back to OpenAI with its reasoning, and without ids that OpenAI would look up."],
    ],
  },
  "adapters/openai/websocket/socket-ends.test.ts": {
    "is a broken connection and never an end: …, … (Q56)": [
      [56, "A socket that closes without a terminal event is a broken connection."],
    ],
    "is replaced, and the call is made again at once (…)": [
      [57, "A socket that has reached its hour is replaced, and the call made again."],
    ],
  },
  "server/kept-history.test.ts": {
    "goes back to DeepSeek …": [[10, "DeepSeek is sent the reasoning that led to its calls."]],
  },
};

/** Quirks, or parts of them, that no test shows, with the reason. */
export const openQuirks: Readonly<Record<number, string>> = {
  53: "Effort has one name and one list of words. The switches of z.ai and Qwen are not sent.",
  55: "Bedrock's own API is not built. Bedrock answers over its compatible endpoint, which has no cache points.",
};

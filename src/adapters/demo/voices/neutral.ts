import type { DemoVoice } from "./voice.ts";

/** Answers if no built-in persona is recognised: plain model calls, and personas that someone else wrote. */
export const neutralVoice: DemoVoice = {
  openings: [
    (question) => `You sent ${question}, and these words take the road that a real answer would take.`,
    (question) => `Your words arrived: ${question} is what this call was given.`,
    (question) => `Thank you for ${question}; it has been read as far as a script can read.`,
  ],
  bodies: [
    `The text leaves the server in small pieces that are numbered, stored and paced, so you can stop it \
half-way, lose the connection and resume, or follow it from a second window. The content is prepared; only \
the quotations change. Set a provider's key, for instance OPENAI_API_KEY, start the server again, and a \
model answers the same request.`,
    `Three things are worth trying while it runs: cancel it and see what is kept, drop the connection and \
resume, or ask several personas at once and watch them answer side by side. None of this needs an account \
or costs anything. To put a model in the script's place, set a provider's key, such as OPENAI_API_KEY, and \
start the server again.`,
  ],
  closings: [
    "An identical request always gets an identical text.",
    "Ask again in the same conversation, and the script will notice.",
  ],
  followUp: (earlierQuestion) =>
    `You asked me before about ${earlierQuestion}; that message reached this call as context.`,
  reasoning:
    "Read the request, chose among the prepared texts by a hash of it, looked for earlier questions.",
};

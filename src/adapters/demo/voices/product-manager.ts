import type { DemoVoice } from "./voice.ts";

export const productManagerVoice: DemoVoice = {
  openings: [
    (question) => `Picture whoever typed ${question} at ten to six, with a train to catch.`,
    (question) => `I wrote ${question} on the whiteboard and drew one box around it.`,
    (question) => `Before we plan anything around ${question}: who is stuck right now, and where?`,
  ],
  bodies: [
    `Option one: do it by hand for five people this week. That costs an afternoon and shows whether anyone \
comes back. Option two: build the general thing, which costs a month and shows the same in spring. I would \
take the first and drop everything that needs a settings page. My guess, untested, is that three of the five \
want something simpler.`,
    `They probably get by with a spreadsheet and a favour. That is the competitor, and it is free. So version \
one has to beat the favour: one screen, one action, done before the kettle boils. No roles, no export, no dark \
mode. If somebody quiet on the team sees it differently, I would like to hear it before Thursday, not after.`,
  ],
  closings: [
    "Tomorrow: call two of them. It worked if one asks when they can have it.",
    "We decide on Friday with whatever we know by then.",
  ],
  followUp: (earlierQuestion) =>
    `You asked me before about ${earlierQuestion}, so I count this as the same thread, not a new ticket.`,
  reasoning: "Named the person and the moment, weighed two options, kept the cheaper test.",
};

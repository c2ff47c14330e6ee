import type { DemoVoice } from "./voice.ts";

export const skepticVoice: DemoVoice = {
  openings: [
    (question) => `Fine. I have heard worse openings than ${question} from chief executives.`,
    (question) => `I have turned ${question} over twice and found one loose screw.`,
    (question) => `Let us be generous and grant that ${question} deserves to be taken seriously. It may.`,
  ],
  bodies: [
    `If a claim is sound, something else ought to be visible too: fewer complaints, a shorter queue, money \
that stays where it was put. Nobody has shown me that second trace. It may exist. I have been wrong about \
three good ideas, all of them sold by cheerful people. So, one thing only: a result that would embarrass its \
owner.`,
    `The rotten board is nearly always the word at which everyone nods. Better than what? Put a figure in its \
place and watch who objects; the objection is worth more than the figure. If nobody objects and the floor \
still holds, I will say so in front of the whole room and pay for the coffee.`,
  ],
  closings: [
    "Settle it on paper: a date, a threshold, a name for whoever checks.",
    "Show me the losing bets as well. Then we can talk.",
  ],
  followUp: (earlierQuestion) => `You asked me before about ${earlierQuestion}. I keep the receipts.`,
  reasoning: "Granted the best case, searched for one missing trace, proposed a check.",
};

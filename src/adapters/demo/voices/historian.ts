import type { DemoVoice } from "./voice.ts";

export const historianVoice: DemoVoice = {
  openings: [
    (question) =>
      `A clerk in Gdańsk, around 1650, would have entered ${question} in his ledger under sundries.`,
    (question) => `Hearing ${question}, I think of a harbour office, and of a man paid by the page.`,
    (question) => `There is an older form of ${question}, and it smells of sealing wax.`,
  ],
  bodies: [
    `When the telegraph reached the ports, around the 1850s, merchants hoped for certainty and received \
faster rumours; only the dull habits that followed, codes and forms and clerks who doubted a cable, made \
knowledge of speed. The likeness stops at the price: a word sent across the ocean could at first cost more \
than a day's wages. The tool comes early; its manners come late.`,
    `Those concerned did not know the end, which is what we forget first. They had last year's prices, a \
cousin's letter, and a suspicion of the next town, and from these they made choices that look wise or \
foolish only because we hold the later pages. One thing does not carry over: they waited weeks for news, \
and used the weeks to think.`,
  ],
  closings: [
    "Look for the habit, then, and leave the hero on his plinth.",
    "My colleagues would quarrel over the date; I offer only the direction.",
  ],
  followUp: (earlierQuestion) =>
    `You asked me before about ${earlierQuestion}, and the two entries belong on one page.`,
  reasoning:
    "Looked for an earlier case, asked what its people could have known, marked where it stops fitting.",
};

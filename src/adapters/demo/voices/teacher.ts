import type { DemoVoice } from "./voice.ts";

export const teacherVoice: DemoVoice = {
  openings: [
    (question) => `Let us put ${question} on the table between us, like a box without a label.`,
    (question) => `I would like to come to ${question} by way of the kitchen.`,
    (question) => `Here is how I would take ${question}, without hurrying.`,
  ],
  bodies: [
    `Think of a pair of scales. One apple gives you one weight; swap it for two plums and you have a relation. \
Many hard ideas are that second weighing: keep everything still, change one thing, look again. The picture \
breaks where real life will not keep still, so write down what you held fixed. The proper name for it is a \
controlled comparison.`,
    `First, say in one sentence what you are already sure of. Second, find the very word where the sureness \
stops and put a pencil mark there. Third, make the smallest example that contains the word, with numbers \
under ten, and work it by hand. Keep the mistakes. By then the mark has usually moved, and you moved it.`,
  ],
  closings: [
    "Which one thing would you change first?",
    "Could you explain that much to a friend on the bus? Then it is yours.",
  ],
  followUp: (earlierQuestion) =>
    `You asked me before about ${earlierQuestion}; we keep that step and put the next one on top.`,
  reasoning: "Found something to hold in the hand, built one step on it, marked where the picture breaks.",
};

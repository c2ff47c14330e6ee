import type { DemoVoice } from "./voice.ts";

export const dataScientistVoice: DemoVoice = {
  openings: [
    (question) => `Taken literally, ${question} cannot be measured yet. I would first rewrite it.`,
    (question) => `For ${question} I have a sample of one, namely this message.`,
    (question) =>
      `I would sort what can be said about ${question} into three boxes: counted, inferred, guessed.`,
  ],
  bodies: [
    `Choose an outcome that two strangers would record in the same way. Choose what to compare it with, \
because a figure alone is decoration. Write down, before looking, which result would surprise you. My rough \
expectation for bold claims in general: one in four survives a fair comparison, at half the advertised size. \
That is a guess, and labelled as one.`,
    `Suppose forty people out of fifty agree. Impressive, until one learns that another nine hundred and \
fifty never opened the letter. Ask who is missing; it moves the answer more than most models do. With nobody \
missing, fifty cases fix a share near one half to about fourteen points either way. Two hundred fix it to \
about seven.`,
  ],
  closings: [
    "One well-drawn sample would move me further than ten anecdotes.",
    "Bring me the denominator and I will bring an interval.",
  ],
  followUp: (earlierQuestion) =>
    `You asked me before about ${earlierQuestion}. We now have a series, though not yet a trend.`,
  reasoning:
    "Turned the question into something observable, named a comparison, kept the uncertainty visible.",
};

import type { DemoVoice } from "./voice.ts";

export const securityEngineerVoice: DemoVoice = {
  openings: [
    (question) => `Let us take ${question} calmly. Who gains if it goes wrong?`,
    (question) => `I read ${question} the way I read a floor plan, doors first.`,
    (question) => `With ${question} I would begin at the line where one side has to believe the other.`,
  ],
  bodies: [
    `Someone patient will not break the lock; they will ask for the key in a polite email. The path is short: \
one mailbox, one reused password, one backup nobody restricted. Three repairs, best first. A hardware key for \
whoever approves payments. Separate accounts for daily work and administration. A restore that you have tried. \
Still open: a person having a bad day.`,
    `List what is worth taking, then follow each item for a day: who touches it, which machine copies it, \
where the copy sleeps. Most leaks are copies. Delete those without an owner, shorten the life of the rest, \
write one alert for the odd hour. About two days of work. A stricter rule would look better and be avoided by \
lunch.`,
  ],
  closings: [
    "Anything with a version number in it, please check against today's advisories.",
    "Dull is the aim. Dull lets everybody sleep.",
  ],
  followUp: (earlierQuestion) =>
    `You asked me before about ${earlierQuestion}; I read the two together, as anyone watching would.`,
  reasoning: "Named the attacker, walked one path, ranked the repairs by hours spent.",
};

import type { DemoVoice } from "./voice.ts";

export const creativeWriterVoice: DemoVoice = {
  openings: [
    (question) =>
      `Somebody said ${question} in a café last night, and the waiter, a tray on each arm, stopped to hear what would come.`,
    (question) => `I copied ${question} onto the back of a tram ticket and said it aloud, twice.`,
    (question) => `Listen to the voice first: who says ${question}, and what is going cold on the table?`,
  ],
  bodies: [
    `Before there is an opinion there is a woman who needs one. Give her a coat too thin for March, a bus \
that is late, a reason to have this settled by Friday. Now the subject has hands. The grand words leave one \
after another, a little offended, and what stays behind is the next thing she does. Write that.`,
    `The sentence that comes first is usually a cliché with its hat still on. Let it in, thank it, and wait \
for the second visitor, who knocks more quietly and has mud on his shoes; he knows what the thing costs, and \
who lied about it. Nearly everything worth keeping comes in by that door. The mud I made up.`,
  ],
  closings: [
    "Strike the line you are proudest of. Then read it again.",
    "I would begin there. The ending knows its own way home.",
  ],
  followUp: (earlierQuestion) =>
    `You asked me before about ${earlierQuestion}, and that page is still lying open under the lamp.`,
  reasoning: "Looked for someone in the room, gave her something to want, threw out the first image.",
};

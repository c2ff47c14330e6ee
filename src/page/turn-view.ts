import type { RequestType, Transcript } from "../client/index.ts";
import { element, showText } from "./elements.ts";
import { createLaneView, type LaneView } from "./lane-view.ts";
import { failureWords, positionWords, transcriptWords } from "./words.ts";

export interface TurnView {
  readonly root: HTMLElement;
  show(transcript: Transcript): void;
}

interface TurnViewOptions {
  readonly type: RequestType;
  readonly question: string;
  /** How a persona is called on the page. */
  readonly nameOf: (personaId: string) => string;
  readonly onStop: () => void;
  readonly onStopLane: (personaId: string) => void;
}

/** One request: what was asked, and its lanes side by side. */
export function createTurnView({ type, question, nameOf, onStop, onStopLane }: TurnViewOptions): TurnView {
  const status = element("span", { class: "grow" });
  const position = element("p", { class: "hint reserved" });
  const stop = element("button", { type: "button", class: "stop" }, "Stop");
  stop.addEventListener("click", onStop);
  const problem = element("p", { class: "problem", hidden: true });
  const notice = element("p", { class: "hint", hidden: true });
  const lanes = element("div", { class: "lanes" });
  const views = new Map<string | undefined, LaneView>();
  const root = element(
    "article",
    { class: "turn" },
    element("div", { class: "row" }, element("code", {}, type), status, stop),
    element("h3", { class: "question" }, question === "" ? "(an empty message)" : question),
    position,
    problem,
    notice,
    lanes,
  );

  function viewOf(personaId: string | undefined): LaneView {
    const known = views.get(personaId);
    if (known !== undefined) return known;
    const view = createLaneView({
      title: personaId === undefined ? "Model" : nameOf(personaId),
      index: views.size,
      onStop: personaId === undefined || type === "chat" ? undefined : () => onStopLane(personaId),
    });
    views.set(personaId, view);
    lanes.append(view.root);
    return view;
  }

  return {
    root,
    show(transcript) {
      const ended = transcript.status !== "waiting" && transcript.status !== "running";
      root.dataset.status = transcript.status;
      root.dataset.requestId = transcript.requestId ?? "";
      for (const lane of transcript.lanes) viewOf(lane.personaId).show(lane);
      // A request that was refused has no voices to show.
      lanes.hidden = transcript.status === "failed" && transcript.seq === 0;
      showText(status, transcriptWords(transcript));
      showText(problem, transcript.error === undefined ? "" : failureWords(transcript.error));
      showText(notice, transcript.notice === undefined ? "" : failureWords(transcript.notice));
      position.textContent = positionWords(transcript);
      stop.classList.toggle("away", ended);
      stop.disabled = ended;
    },
  };
}

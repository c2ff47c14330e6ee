import type {
  ConnectionState,
  Lane,
  RequestStanding,
  RequestType,
  Transcript,
  TroupeRequest,
} from "../client/index.ts";
import { element, showText } from "./elements.ts";
import { createLaneView, type LaneView } from "./lane-view.ts";
import { withFocusKept } from "./with-focus-kept.ts";
import { isOver, noticeWords, positionWords, problemWords, standstillOf, transcriptWords } from "./words.ts";

/** The parts of a request that its view needs. */
interface ShownAs extends Pick<TroupeRequest, "canRetry"> {
  readonly standing: RequestStanding;
}

export interface TurnView {
  readonly root: HTMLElement;
  /** `request` brings the answer; `undefined` while there is none, for example after a reload. */
  show(transcript: Transcript, request: ShownAs | undefined, state: ConnectionState): void;
}

interface TurnViewOptions {
  readonly type: RequestType;
  readonly question: string;
  /** A persona's name on the page. */
  readonly nameOf: (personaId: string) => string;
  readonly onStop: () => void;
  readonly onRetry: () => void;
  readonly onStopLane: (personaId: string) => void;
}

/** One request: its question, and its lanes side by side. */
export function createTurnView(options: TurnViewOptions): TurnView {
  const { type, question, nameOf, onStop, onRetry, onStopLane } = options;
  const status = element("span", { class: "grow" });
  const position = element("p", { class: "hint reserved" });
  const stop = element("button", { type: "button", class: "stop" }, "Stop");
  stop.addEventListener("click", onStop);
  const retry = element("button", { type: "button", hidden: true }, "Try again");
  retry.addEventListener("click", onRetry);
  const problem = element("p", { class: "problem", hidden: true });
  const notice = element("p", { class: "hint", hidden: true });
  const asked = element("h3", { class: "question", tabindex: "-1" });
  asked.textContent = question === "" ? "(an empty message)" : question;
  const lanes = element("div", { class: "lanes" });
  const views = new Map<string, LaneView>();
  const root = element(
    "article",
    { class: "turn" },
    element("div", { class: "row" }, element("code", {}, type), status, stop),
    asked,
    position,
    problem,
    retry,
    notice,
    lanes,
  );

  function viewOf({ personaId, round, role }: Lane): LaneView {
    const key = JSON.stringify([personaId, round, role]);
    const known = views.get(key);
    if (known !== undefined) return known;
    const name = personaId === undefined ? "Model" : nameOf(personaId);
    const part = role === undefined ? "" : `, ${role}`;
    const view = createLaneView({
      title: `${name}${part}${round === undefined ? "" : ` (round ${round + 1})`}`,
      index: views.size,
      onStop: personaId === undefined || type === "chat" ? undefined : () => onStopLane(personaId),
    });
    views.set(key, view);
    lanes.append(view.root);
    return view;
  }

  return {
    root,
    show(transcript, request, state) {
      const standing = request?.standing;
      const standstill = standstillOf(transcript, standing, state);
      const isStoppable = !isOver(transcript) && standing !== undefined && standing !== "ended";
      root.dataset.status = transcript.status;
      root.dataset.standstill = standstill ?? "";
      root.dataset.requestId = transcript.requestId ?? "";
      for (const lane of transcript.lanes) viewOf(lane).show(lane, standstill, isStoppable);
      // A refused request has no voices to show.
      lanes.hidden = transcript.status === "failed" && transcript.seq === 0;
      showText(status, transcriptWords(transcript, standstill));
      showText(problem, problemWords(transcript));
      showText(notice, noticeWords(transcript));
      position.textContent = positionWords(transcript);
      withFocusKept(
        retry,
        () => asked,
        () => {
          retry.hidden = request?.canRetry !== true;
        },
      );
      withFocusKept(
        stop,
        () => asked,
        () => {
          stop.classList.toggle("away", !isStoppable);
          stop.disabled = !isStoppable;
        },
      );
    },
  };
}

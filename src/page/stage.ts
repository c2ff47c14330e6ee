import {
  createTranscript,
  failTranscript,
  foldMessage,
  type RequestType,
  type Transcript,
  type TroupeRequest,
  TroupeRequestError,
} from "../client/index.ts";
import { byId } from "./elements.ts";
import { createTurnView } from "./turn-view.ts";

/** Older ended turns are taken off the page. */
const keptTurns = 30;

/** A request to be shown. */
export interface StagedRequest {
  readonly request: TroupeRequest;
  readonly type: RequestType;
  readonly question: string;
  readonly personaIds: readonly string[];
}

export interface Stage {
  /** Shows a request above the earlier ones until it has ended. */
  show(staged: StagedRequest): void;
  readonly running: readonly StagedRequest[];
}

interface StageOptions {
  readonly nameOf: (personaId: string) => string;
  /** Called when a request has begun to run or has ended. */
  readonly onChange: () => void;
  readonly onEnd: (transcript: Transcript) => void;
}

export function createStage({ nameOf, onChange, onEnd }: StageOptions): Stage {
  const turns = byId("turns", HTMLElement);
  const empty = byId("empty", HTMLElement);
  const running = new Set<StagedRequest>();

  async function follow(staged: StagedRequest): Promise<void> {
    const { request, type, question, personaIds } = staged;
    const view = createTurnView({
      type,
      question,
      nameOf,
      onStop: () => request.cancel(),
      onStopLane: (personaId) => request.cancel(personaId),
    });
    let transcript = createTranscript(type === "openai_chat" ? [undefined] : personaIds);
    view.show(transcript);
    turns.prepend(view.root);
    view.root.scrollIntoView({ block: "nearest" });
    try {
      for await (const message of request) {
        transcript = foldMessage(transcript, message);
        view.show(transcript);
      }
    } catch (thrown) {
      if (!(thrown instanceof TroupeRequestError)) throw thrown;
      transcript = failTranscript(transcript, thrown);
      view.show(transcript);
    }
    running.delete(staged);
    onChange();
    onEnd(transcript);
  }

  return {
    show(staged) {
      empty.hidden = true;
      running.add(staged);
      onChange();
      void follow(staged);
      const ended = [...turns.children].filter((turn) => turn.querySelector("button.stop:disabled") !== null);
      for (const old of ended.slice(keptTurns)) old.remove();
    },
    get running() {
      return [...running];
    },
  };
}

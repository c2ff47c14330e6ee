import {
  createTranscript,
  failTranscript,
  foldMessage,
  followAgain,
  type RequestType,
  type Transcript,
  type TroupeClient,
  type TroupeRequest,
  TroupeRequestError,
} from "../client/index.ts";
import { byId } from "./elements.ts";
import type { AskedRequest } from "./page-memory.ts";
import { createTurnView, type TurnView } from "./turn-view.ts";
import { isOver, type Standstill, standstillOf } from "./words.ts";

/** Ended turns that stay on the page; older ones are removed. */
const keptTurns = 30;

/** A request to be shown. */
interface StagedRequest {
  readonly request: TroupeRequest;
  readonly type: RequestType;
  readonly question: string;
  readonly personaIds: readonly string[];
}

interface Stage {
  /** Shows a request of this server above the earlier ones until it has ended. */
  show(server: string, staged: StagedRequest): void;
  /** Shows requests from before a reload, oldest first; `pickUp` brings the answers. */
  recall(server: string, asked: readonly AskedRequest[]): void;
  /** Follows this server's unfinished requests that the client does not follow yet. */
  pickUp(server: string, client: TroupeClient): void;
  /** Updates every unfinished request after a change of the connection. */
  refresh(): void;
  /** Requests that were sent, are followed and have not ended. */
  readonly running: readonly RequestType[];
  /** For each other unfinished request, the reason why it makes no progress. */
  readonly standstills: readonly NonNullable<Standstill>[];
  /** Whether a stop would reach any request, now or on the next connection. */
  readonly isStoppable: boolean;
  stopAll(): void;
}

interface StageOptions {
  readonly nameOf: (personaId: string) => string;
  readonly stateOf: () => TroupeClient["state"];
  /** Called when a request has started to run or has ended. */
  readonly onChange: () => void;
  /** Called once the server's name of a request is known. */
  readonly onNamed: (server: string, asked: AskedRequest) => void;
  readonly onEnd: (transcript: Transcript) => void;
}

/** A request on the page. `request` belongs to the current client; `undefined` after a reload, until it is picked up. */
interface Turn {
  readonly server: string;
  readonly type: RequestType;
  readonly question: string;
  readonly personaIds: readonly string[];
  readonly view: TurnView;
  id: string | undefined;
  request: TroupeRequest | undefined;
  transcript: Transcript;
}

/** Scrolls a turn into view, from its question on. A turn that is completely visible stays where it is. */
function bringIntoView(turn: HTMLElement): void {
  const { top, bottom } = turn.getBoundingClientRect();
  const { scrollPaddingTop } = getComputedStyle(document.documentElement);
  if (top < Number.parseFloat(scrollPaddingTop) || bottom > innerHeight)
    turn.scrollIntoView({ block: "start" });
}

const notYetFollowed = { code: "closed", message: "The page was loaded again.", retryable: true } as const;

export function createStage({ nameOf, stateOf, onChange, onNamed, onEnd }: StageOptions): Stage {
  const place = byId("turns", HTMLElement);
  const empty = byId("empty", HTMLElement);
  let turns: Turn[] = [];

  function addTurn(server: string, about: Omit<StagedRequest, "request">, request?: TroupeRequest): Turn {
    const { type, question, personaIds } = about;
    const transcript = createTranscript(type === "openai_chat" ? [undefined] : personaIds);
    const turn: Turn = {
      ...{ server, type, question, personaIds, request, id: request?.id },
      transcript: request === undefined ? failTranscript(transcript, notYetFollowed) : transcript,
      view: createTurnView({
        ...{ type, question, nameOf },
        onStop: () => turn.request?.cancel(),
        onRetry: () => runAgain(turn),
        onStopLane: (personaId) => turn.request?.cancel(personaId),
      }),
    };
    empty.hidden = true;
    turns.push(turn);
    refreshTurn(turn);
    place.prepend(turn.view.root);
    return turn;
  }

  /** While a request's last messages are folded in, it has ended for the client but not yet here. */
  function standingOf({ request, transcript }: Turn) {
    return request?.standing === "ended" && transcript.status !== "unfollowed"
      ? "followed"
      : request?.standing;
  }

  function refreshTurn(turn: Turn): void {
    const { request, transcript } = turn;
    const standing = standingOf(turn);
    const shown =
      request === undefined || standing === undefined ? undefined : { standing, canRetry: request.canRetry };
    turn.view.show(transcript, shown, stateOf());
  }

  /** Asks the server to run a failed request again, and drops its shown text. */
  function runAgain(turn: Turn): void {
    if (turn.request?.canRetry !== true) return;
    const { type, personaIds } = turn;
    try {
      const request = turn.request.retry();
      turn.request = request;
      turn.transcript = createTranscript(type === "openai_chat" ? [undefined] : personaIds);
      void follow(turn, request);
    } catch (thrown) {
      if (!(thrown instanceof TroupeRequestError)) throw thrown;
      turn.transcript = failTranscript(turn.transcript, thrown);
    }
    refreshTurn(turn);
    onChange();
  }

  async function follow(turn: Turn, request: TroupeRequest): Promise<void> {
    const { server, type, question, personaIds } = turn;
    const name = (id: string | undefined) => {
      turn.id = id;
      if (id !== undefined) onNamed(server, { id, type, question, personaIds });
    };
    name(request.id);
    try {
      for await (const message of request) {
        if (turn.request !== request) return;
        if (turn.id === undefined) name(request.id);
        turn.transcript = foldMessage(turn.transcript, message);
        refreshTurn(turn);
      }
    } catch (thrown) {
      if (!(thrown instanceof TroupeRequestError)) throw thrown;
      if (turn.request !== request) return;
      turn.transcript = failTranscript(turn.transcript, thrown);
      refreshTurn(turn);
    }
    onChange();
    onEnd(turn.transcript);
  }

  /** Removes the oldest ended turns from the page, except a turn with the focus. */
  function trim(): void {
    const ended = turns.filter(
      ({ transcript, view }) => isOver(transcript) && !view.root.matches(":focus-within"),
    );
    for (const old of ended.slice(0, -keptTurns)) {
      old.view.root.remove();
      turns = turns.filter((turn) => turn !== old);
    }
  }

  const standstill = (turn: Turn) => standstillOf(turn.transcript, standingOf(turn), stateOf());

  return {
    show(server, { request, ...about }) {
      const turn = addTurn(server, about, request);
      trim();
      onChange();
      bringIntoView(turn.view.root);
      void follow(turn, request);
    },
    recall(server, asked) {
      for (const { id, ...about } of asked) addTurn(server, about).id = id;
      onChange();
    },
    pickUp(server, client) {
      for (const turn of turns) {
        const isFollowed = turn.request !== undefined && turn.request.standing !== "ended";
        if (turn.server !== server || turn.id === undefined || isOver(turn.transcript) || isFollowed)
          continue;
        const request = client.resume(turn.id, { after: turn.transcript.seq });
        turn.request = request;
        turn.transcript = followAgain(turn.transcript);
        void follow(turn, request);
      }
    },
    refresh() {
      for (const turn of turns) if (!isOver(turn.transcript)) refreshTurn(turn);
    },
    get running() {
      return turns
        .filter((turn) => !isOver(turn.transcript) && standstill(turn) === undefined)
        .map(({ type }) => type);
    },
    get standstills() {
      return turns.map(standstill).filter((why) => why !== undefined);
    },
    get isStoppable() {
      return turns.some((turn) => !isOver(turn.transcript) && turn.request !== undefined);
    },
    stopAll() {
      for (const { request } of turns) request?.cancel();
    },
  };
}

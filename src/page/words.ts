import type {
  ConnectionLoss,
  ConnectionState,
  Lane,
  RequestFailure,
  RequestStanding,
  RequestType,
  Transcript,
} from "../client/index.ts";

/** The connection's state as a sentence. `wasOpen`: the server has answered before. */
export function connectionWords(state: ConnectionState, url: string, wasOpen: boolean): string {
  switch (state.name) {
    case "idle":
      return "Not connected.";
    case "connecting":
      return state.attempt === 0
        ? `Connecting to ${url} …`
        : `Connecting again, attempt ${state.attempt + 1} …`;
    case "open":
      return `Connected to ${url}.`;
    case "waiting":
      return `${lossWords(state.loss, !wasOpen || state.attempt > 1, url)} Trying again soon.`;
    case "closed":
      return `Disconnected. ${state.loss.reason}`.trim();
  }
}

/** Names the usual reason of a refused connection, because a browser hides the real one from a page. */
function lossWords({ code, reason }: ConnectionLoss, isSilent: boolean, url: string): string {
  if (reason !== "") return `Connection lost: ${reason}`;
  if (isSilent) return `No Troupe answers at ${url}. Is the server running?`;
  return `Connection lost (code ${code}).`;
}

export function failureWords(failure: RequestFailure): string {
  const later =
    failure.retryAfterMs === undefined
      ? "It may work later."
      : `It may work in ${Math.ceil(failure.retryAfterMs / 1000)} s.`;
  return `${failure.message} (${failure.code})${failure.retryable ? ` ${later}` : ""}`;
}

/** The reason why an unfinished request makes no progress; `undefined` if there is none. */
export type Standstill = "not sent yet" | "no connection" | "not followed" | undefined;

/** Finds out whether a request makes progress: as far as the page knows, only a sent request with a connection does. */
export function standstillOf(
  transcript: Transcript,
  standing: RequestStanding | undefined,
  state: ConnectionState,
): Standstill {
  if (isOver(transcript)) return undefined;
  if (transcript.status === "unfollowed") return "not followed";
  if (standing === "unsent") return "not sent yet";
  if (standing !== "unfollowed") return undefined;
  return state.name === "waiting" || state.name === "connecting" ? "no connection" : "not followed";
}

/** Whether no more messages can come. */
export function isOver({ status }: Transcript): boolean {
  return status === "completed" || status === "cancelled" || status === "failed";
}

/** The state of a lane, or how it ended; short, so that it fits on its line. */
export function laneWords(lane: Lane, standstill: Standstill): string {
  const { status, statusMessage, finishReason, usage, model } = lane;
  const tokens = usage && tokenWords(usage);
  switch (status) {
    case "starting":
    case "processing":
      return standstill ?? statusMessage;
    case "streaming":
      return standstill ?? joined("speaking", tokens);
    case "waiting":
      return standstill ?? "waiting";
    default: {
      const words = { completed: "done", failed: "failed", cancelled: "stopped" }[status];
      const reason = finishReason === "stop" ? undefined : finishReason?.replace("_", " ");
      return joined(words, reason === "cancelled" ? undefined : reason, tokens, model);
    }
  }
}

function tokenWords({ output_tokens: tokens, estimated }: NonNullable<Lane["usage"]>): string {
  return `${estimated ? "about " : ""}${tokens} ${tokens === 1 ? "token" : "tokens"}`;
}

function joined(...parts: readonly (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined).join(" · ");
}

export function transcriptWords({ status }: Transcript, standstill: Standstill): string {
  switch (status) {
    case "waiting":
      return standstill ?? "waiting for the server";
    case "cancelled":
      return "stopped";
    case "unfollowed":
      return "not followed";
    case "running":
      return standstill ?? "running";
    default:
      return status;
  }
}

/** Why a request failed; empty for a request that is not followed, because it has not failed. */
export function problemWords({ status, error }: Transcript): string {
  return status === "failed" && error !== undefined ? failureWords(error) : "";
}

export function noticeWords({ status, notice, error }: Transcript): string {
  if (notice !== undefined) return failureWords(notice);
  if (status !== "unfollowed") return "";
  const why = error?.code === "lost" ? error.message : "The server may go on with it.";
  return `${why} Connect to see how it went on.`;
}

/** How far a request has come, and whether a model answers at all. */
export function positionWords({ seq, simulated }: Transcript): string {
  if (seq === 0) return "";
  return simulated ? `message ${seq} · demonstration, no model` : `message ${seq}`;
}

/** How many requests run, and how many are unfinished and do not run. */
export function activityWords(
  running: readonly RequestType[],
  standstills: readonly NonNullable<Standstill>[],
): string {
  const parts = [
    running.length === 0
      ? "Nothing runs."
      : `${requests(running.length, "runs", "run")}: ${running.join(", ")}.`,
  ];
  const unsent = standstills.filter((standstill) => standstill === "not sent yet").length;
  const others = standstills.length - unsent;
  if (unsent > 0) parts.push(`${requests(unsent, "waits", "wait")} to be sent.`);
  if (others > 0) parts.push(`${requests(others, "is", "are")} not followed.`);
  return parts.join(" ");
}

function requests(count: number, one: string, several: string): string {
  return count === 1 ? `1 request ${one}` : `${count} requests ${several}`;
}

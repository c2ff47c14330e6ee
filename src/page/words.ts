import type { ConnectionState, Lane, RequestFailure, Transcript } from "../client/index.ts";

/** The connection's state as a sentence. */
export function connectionWords(state: ConnectionState, url: string): string {
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
      return `${lossWords(state.loss, state.attempt)} Trying again soon.`;
    case "closed":
      return `Disconnected. ${state.loss.reason}`.trim();
  }
}

/** A browser tells a page nothing about why a connection was refused, so the usual reasons are named. */
function lossWords({ code, reason }: { code: number; reason: string }, attempt: number): string {
  if (reason !== "") return `Connection lost: ${reason}`;
  if (attempt > 1)
    return `No connection after ${attempt} attempts. Is the server running, and does it know this page?`;
  return `Connection lost (code ${code}).`;
}

export function failureWords(failure: RequestFailure): string {
  const later =
    failure.retryAfterMs === undefined
      ? "It may work later."
      : `It may work in ${Math.ceil(failure.retryAfterMs / 1000)} s.`;
  return `${failure.message} (${failure.code})${failure.retryable ? ` ${later}` : ""}`;
}

/** One or two words, so that a lane's head never needs a second line. */
export function laneWords({ status }: Lane): string {
  switch (status) {
    case "processing":
      return "thinking";
    case "streaming":
      return "speaking";
    case "completed":
      return "done";
    case "cancelled":
      return "stopped";
    default:
      return status;
  }
}

/** What stands under a lane: the server's own sentence while it works, then how it ended. */
export function laneFootWords({ status, statusMessage, finishReason, usage, model }: Lane): string {
  if (status === "starting" || status === "processing") return statusMessage;
  const tokens = usage && `${usage.estimated ? "about " : ""}${usage.output_tokens} tokens`;
  const reason = finishReason === "stop" ? undefined : finishReason?.replace("_", " ");
  return [reason, tokens, model].filter((part) => part !== undefined).join(" · ");
}

export function transcriptWords(transcript: Transcript): string {
  switch (transcript.status) {
    case "waiting":
      return "waiting for the server";
    case "running":
      return "running";
    case "completed":
      return "completed";
    case "cancelled":
      return "stopped";
    case "failed":
      return "failed";
  }
}

/** How far a request has come, and whether a model is behind it at all. */
export function positionWords({ seq, simulated }: Transcript): string {
  if (seq === 0) return "";
  return simulated ? `message ${seq} · demonstration, no model` : `message ${seq}`;
}

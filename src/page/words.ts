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

/** What a lane does, then how it ended; short, so that it stays on its line. */
export function laneWords({ status, statusMessage, finishReason, usage, model }: Lane): string {
  switch (status) {
    case "starting":
    case "processing":
      return statusMessage;
    case "streaming":
      return "speaking";
    case "waiting":
      return "waiting";
    default: {
      const words = { completed: "done", failed: "failed", cancelled: "stopped" }[status];
      const tokens = usage && `${usage.estimated ? "about " : ""}${usage.output_tokens} tokens`;
      const reason = finishReason === "stop" ? undefined : finishReason?.replace("_", " ");
      const parts = [words, reason === "cancelled" ? undefined : reason, tokens, model];
      return parts.filter((part) => part !== undefined).join(" · ");
    }
  }
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

interface CloseRow {
  /** Close code, RFC 6455 section 7.4 (1000-1015) or our own (4000-4999). */
  readonly code: number;
  /** Whether a client should connect again (and resume) by itself. */
  readonly reconnect: boolean;
  readonly reason: string;
}

/** The code with which a client closes and the server answers. The server never starts a close with it. */
export const normalClosure = 1000;

/** Every close that the server starts. PROTOCOL.md prints this table. */
export const closeTable = {
  protocol_error: { code: 1002, reconnect: false, reason: "The frame breaks the WebSocket protocol." },
  invalid_text: { code: 1007, reconnect: false, reason: "The text is not valid UTF-8." },
  policy: {
    code: 1008,
    reconnect: false,
    reason: "Too many fragments, too many frames in a short time, or a message that did not end in time.",
  },
  message_too_big: { code: 1009, reconnect: false, reason: "The message is larger than the limit." },
  restarting: { code: 1012, reconnect: true, reason: "The server restarts." },
  key_revoked: { code: 4401, reconnect: false, reason: "The key was revoked." },
  logged_out: { code: 4403, reconnect: true, reason: "Show again who you are." },
  unresponsive: { code: 4408, reconnect: true, reason: "The peer did not answer pings." },
  slow_reader: { code: 4409, reconnect: true, reason: "The peer reads too slowly; resume." },
} as const satisfies Record<string, CloseRow>;

export type CloseName = keyof typeof closeTable;

const names: ReadonlyMap<number, CloseName> = new Map(
  (Object.keys(closeTable) as CloseName[]).map((name) => [closeTable[name].code, name]),
);

/** The name of a close with one of the table's codes. */
export function closeNameOf(code: number): CloseName | undefined {
  return names.get(code);
}

/** Max wait that a client accepts from a server, milliseconds. */
export const longestRetryAfterMs = 600_000;

/** The reason of a close, with the wait before the client should reconnect if the server sets it. */
export function closeReason(name: CloseName, retryAfterMs?: number): string {
  const { reason } = closeTable[name];
  return retryAfterMs === undefined ? reason : `${reason} retry_after_ms=${retryAfterMs}`;
}

const retryAfterPart = / retry_after_ms=(\d{1,9})$/;

/** The wait in milliseconds that the reason of a close asks for, if any. */
export function retryAfterMsIn(reason: string): number | undefined {
  const digits = retryAfterPart.exec(reason)?.[1];
  return digits === undefined ? undefined : Math.min(Number(digits), longestRetryAfterMs);
}

/** The reason of a close for people, without the wait. */
export function closeWords(reason: string): string {
  return reason.replace(retryAfterPart, "");
}

/**
 * Calls back after the event loop has read all that has arrived on its sockets; the returned function cancels the call. A timer that is
 * late, because the process stood still or was busy, fires before anything is read and would decide wrongly.
 */
export function callAfterReading(callback: () => void): () => void {
  const turn = setImmediate(callback);
  return () => clearImmediate(turn);
}

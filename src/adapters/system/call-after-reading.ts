/**
 * Calls back after the loop has read from its sockets all that has come by now; the returned function calls that off. A timer that
 * is late, because the process stood still or was busy, fires before anything is read: what it decides would be wrong.
 */
export function callAfterReading(callback: () => void): () => void {
  const turn = setImmediate(callback);
  return () => clearImmediate(turn);
}

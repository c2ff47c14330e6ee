const firstDelayMs = 100;
/** Those who wait for the end of an interrupted answer are told within seconds, also when no worker is left. */
const longestDelayMs = 2_000;

/** How long to wait before a process is started again that has ended so often in a row without having served for a while. */
export function restartDelayMs(endsInARow: number): number {
  return Math.min(firstDelayMs * 2 ** (endsInARow - 1), longestDelayMs);
}

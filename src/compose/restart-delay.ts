const firstDelayMs = 100;
const longestDelayMs = 10_000;

/** How long to wait before a process is started again that has ended so often in a row without having served for a while. */
export function restartDelayMs(endsInARow: number): number {
  return Math.min(firstDelayMs * 2 ** (endsInARow - 1), longestDelayMs);
}

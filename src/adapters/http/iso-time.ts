/** Milliseconds since 1970 as every date in JSON is written, in UTC. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

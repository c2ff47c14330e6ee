/** Formats milliseconds since 1970 like every date in JSON: ISO 8601, in UTC. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** Whether a row of the journal has entries of one of these turns (a JSON array of their numbers). */
export function holdsTurns(entries: string, turns: string): boolean {
  return (JSON.parse(turns) as number[]).some((turn) => entries.includes(`[${turn},`));
}

/** Removes the entries of these turns from a row. It keeps the entries of other turns, which may still be needed. */
export function withoutTurns(entries: string, turns: string): string {
  const gone = new Set(JSON.parse(turns) as number[]);
  const rows = JSON.parse(entries) as (readonly [turn: number, ...unknown[]])[];
  return JSON.stringify(rows.filter(([turn]) => !gone.has(turn)));
}

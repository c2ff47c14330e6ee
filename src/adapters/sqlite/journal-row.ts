/** Whether a row of the journal holds something of one of these turns (a JSON array of their numbers). */
export function holdsTurns(entries: string, turns: string): boolean {
  return (JSON.parse(turns) as number[]).some((turn) => entries.includes(`[${turn},`));
}

/** The row without what these turns said. A row holds other turns' events beside theirs, which may still be needed. */
export function withoutTurns(entries: string, turns: string): string {
  const gone = new Set(JSON.parse(turns) as number[]);
  const rows = JSON.parse(entries) as (readonly [turn: number, ...unknown[]])[];
  return JSON.stringify(rows.filter(([turn]) => !gone.has(turn)));
}

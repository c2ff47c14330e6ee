/**
 * The order of a round: every round starts one further than the last, so that no side always runs first, or always right
 * after the start of a round.
 */
export function orderOfRound<Item>(items: readonly Item[], round: number): Item[] {
  const first = items.length === 0 ? 0 : round % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}

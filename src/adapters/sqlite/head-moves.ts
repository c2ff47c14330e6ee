/** Older moves are forgotten, and then every path that was read before them counts as outdated. */
const mostMoves = 10_000;

/**
 * The conversations whose head was moved or that were removed lately, at the moment at which that write was queued. All such writes go
 * through one store, so a path that was read before can be compared without a look into the database.
 */
export class HeadMoves {
  /** The number of each conversation's last move, oldest first. */
  readonly #moves = new Map<string, number>();
  #last = 0;
  #forgotten = 0;

  /** The mark of a read that sees every write queued so far. */
  get version(): number {
    return this.#last;
  }

  /** Called in the same step in which the write is queued. */
  note(conversationId: string): void {
    this.#last += 1;
    this.#moves.delete(conversationId);
    this.#moves.set(conversationId, this.#last);
    if (this.#moves.size <= mostMoves) return;
    for (const [oldest, number] of this.#moves) {
      this.#moves.delete(oldest);
      this.#forgotten = number;
      return;
    }
  }

  /** Whether the conversation's head may have moved after the read with this mark. */
  hasMovedSince(version: number, conversationId: string): boolean {
    return (this.#moves.get(conversationId) ?? this.#forgotten) > version;
  }
}

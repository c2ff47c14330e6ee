import type { BegunTurn } from "./running-turn.ts";

/** The running turns of this process, and the turns that are about to run. */
export class TurnTable {
  readonly #running = new Map<string, BegunTurn>();
  /** Turns whose log is being made or resumed, with their owners. */
  readonly #beginning = new Map<Promise<unknown>, string>();

  get count(): number {
    return this.#running.size;
  }

  /** All of them, oldest first. */
  all(): BegunTurn[] {
    return [...this.#running.values()];
  }

  find(owner: string, id: string): BegunTurn | undefined {
    return this.#running.get(keyOf(owner, id));
  }

  /** The turns of a conversation, oldest first. */
  in(owner: string, conversationId: string): BegunTurn[] {
    return this.all().filter(
      ({ turn }) => turn.conversationId === conversationId && turn.record.owner === owner,
    );
  }

  add(begun: BegunTurn): void {
    const { owner, id } = begun.turn.record;
    this.#running.set(keyOf(owner, id), begun);
  }

  remove(owner: string, id: string): void {
    this.#running.delete(keyOf(owner, id));
  }

  /** Notes a turn that is about to run. */
  noteBeginning<T>(owner: string, begun: Promise<T>): Promise<T> {
    const noted = begun.finally(() => this.#beginning.delete(noted));
    this.#beginning.set(noted, owner);
    return noted;
  }

  /** Settles when the turns of an owner, or of all owners, that are about to run have started or were refused. */
  async begun(owner?: string): Promise<void> {
    const beginning = [...this.#beginning].filter(([, of]) => owner === undefined || of === owner);
    await Promise.allSettled(beginning.map(([begun]) => begun));
  }

  /** Stops every turn of a conversation; settles when they have ended. */
  async endIn(owner: string, conversationId: string): Promise<void> {
    const stop = () => {
      const begun = this.in(owner, conversationId);
      for (const { turn } of begun) turn.cancel();
      return begun.map(({ done }) => done);
    };
    stop();
    // A turn that has found its conversation but has no log yet is about to run.
    await this.begun(owner);
    await Promise.all(stop());
  }
}

function keyOf(owner: string, id: string): string {
  return `${owner}\n${id}`;
}

/** A queue in which owners take turns; the items of one owner keep their order. */
export class FairQueue<T> {
  /** In the order of the owners' turns. */
  readonly #owners = new Map<string, T[]>();

  get isEmpty(): boolean {
    return this.#owners.size === 0;
  }

  add(owner: string, item: T): void {
    const items = this.#owners.get(owner);
    if (items === undefined) this.#owners.set(owner, [item]);
    else items.push(item);
  }

  /** The oldest item of the owner whose turn it is. That owner's next turn comes after those of all others. */
  take(): T | undefined {
    for (const [owner, items] of this.#owners) {
      const item = items.shift();
      this.#owners.delete(owner);
      if (items.length > 0) this.#owners.set(owner, items);
      return item;
    }
    return undefined;
  }
}

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

  /** Takes out every item that is `due`, without a turn. */
  takeAll(due: (item: T) => boolean): T[] {
    const taken: T[] = [];
    for (const [owner, items] of this.#owners) {
      const left = items.filter((item) => !due(item));
      if (left.length === items.length) continue;
      taken.push(...items.filter(due));
      if (left.length === 0) this.#owners.delete(owner);
      else this.#owners.set(owner, left);
    }
    return taken;
  }
}

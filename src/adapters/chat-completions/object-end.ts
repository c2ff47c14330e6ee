/**
 * Finds the end of a JSON object that comes in pieces. Each piece is read once, so the work for a piece does not grow with the text before
 * it. Only brackets and strings are followed: the text of a closed object may still be no JSON.
 */
export class ObjectEnd {
  #state: "before" | "open" | "string" | "escape" | "closed" | "none" = "before";
  #depth = 0;

  /** The text so far ends with the bracket that closes its first object, which it starts with. */
  get isClosed(): boolean {
    return this.#state === "closed";
  }

  add(piece: string): void {
    for (let at = 0; at < piece.length && this.#state !== "none"; at += 1) this.#read(piece[at] ?? "");
  }

  #read(character: string): void {
    switch (this.#state) {
      case "before":
        if (character === "{") this.#nest(1);
        else if (character.trim() !== "") this.#state = "none";
        break;
      case "open":
        if (character === '"') this.#state = "string";
        else if (character === "{" || character === "[") this.#nest(1);
        else if (character === "}" || character === "]") this.#nest(-1);
        break;
      case "string":
        if (character === '"') this.#state = "open";
        else if (character === "\\") this.#state = "escape";
        break;
      case "escape":
        this.#state = "string";
        break;
      default:
        // Text after the end makes it no JSON.
        this.#state = "none";
    }
  }

  #nest(by: 1 | -1): void {
    this.#depth += by;
    this.#state = this.#depth === 0 ? "closed" : "open";
  }
}

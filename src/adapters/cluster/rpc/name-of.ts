/** Joins an owner and an id to one name, which is unique because no owner's name has a line break. */
export function nameOf(owner: string, id: string): string {
  return `${owner}\n${id}`;
}

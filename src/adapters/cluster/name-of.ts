/** One name for what an owner calls by an id: no owner's name holds a line break. */
export function nameOf(owner: string, id: string): string {
  return `${owner}\n${id}`;
}

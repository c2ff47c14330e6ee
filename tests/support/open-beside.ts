import { DatabaseSync } from "node:sqlite";

/** Opens a database that a server may use at the same time: waits for the other's lock, which by default would be an error. */
export function openBeside(
  file: string,
  { readOnly = false }: { readonly readOnly?: boolean } = {},
): DatabaseSync {
  return new DatabaseSync(file, { readOnly, timeout: 20_000 });
}

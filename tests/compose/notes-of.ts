import { readSettings } from "../../src/compose/read-settings.ts";

/** The notes that a start prints. */
export const notesOf = (env: Record<string, string>, fileEnv = {}) =>
  readSettings([], { env, fileEnv }).notes;

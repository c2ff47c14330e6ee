import { readSettings } from "../../src/compose/read-settings.ts";

/** What is told at the start. */
export const notesOf = (env: Record<string, string>, fileEnv = {}) =>
  readSettings([], { env, fileEnv }).notes;

import { readFile } from "node:fs/promises";

const file = new URL("../../../backend/websocket_test.html", import.meta.url);

/** Reads the page's file. The one-file executable replaces this module by one that has the page in it. */
export function readPageFile(): Promise<string> {
  return readFile(file, "utf8");
}

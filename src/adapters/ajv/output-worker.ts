import { parentPort } from "node:worker_threads";
import type { JsonObject } from "../../ports/json.ts";
import { judgeOutput } from "./judge-output.ts";

/** One check, as it is sent to the thread. The reply is an `OutputVerdict`. A message without a meaning tells that the thread has started. */
export interface AskedCheck {
  readonly text: string;
  readonly schema: JsonObject | undefined;
}

parentPort?.on("message", ({ text, schema }: AskedCheck) => {
  parentPort?.postMessage(judgeOutput(text, schema));
});
parentPort?.postMessage("ready");

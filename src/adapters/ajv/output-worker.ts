import { parentPort } from "node:worker_threads";
import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import { isObject, type JsonObject, type JsonValue } from "../../ports/json.ts";
import type { OutputVerdict } from "../../ports/output-checker.ts";

/** One check, as it is sent to the thread. The reply is an `OutputVerdict`. A message without a meaning tells that the thread has started. */
export interface AskedCheck {
  readonly text: string;
  readonly schema: JsonObject | undefined;
}

parentPort?.on("message", ({ text, schema }: AskedCheck) => {
  parentPort?.postMessage(judgeOutput(text, schema));
});
parentPort?.postMessage("ready");

/** A path in an answer may be as long as the answer. */
const maxFaultChars = 200;

/**
 * Unknown words and formats are left to the vendor: each vendor has its own. Without the meta schema a compilation takes 1 ms instead of
 * 20 (measured), and a malformed schema still fails.
 */
const leniently = {
  strict: false,
  validateFormats: false,
  validateSchema: false,
  meta: false,
  addUsedSchema: false,
  logger: false,
} as const;

/**
 * Whether a text is JSON that fits a schema of draft 2020-12, or of draft 7 if its `$schema` says so. It takes as long as the schema
 * makes it take, so it runs in a thread of its own.
 */
function judgeOutput(text: string, schema: JsonObject | undefined): OutputVerdict {
  let value: JsonValue;
  try {
    value = JSON.parse(text);
  } catch {
    return { fits: false, fault: "It is not JSON." };
  }
  if (schema === undefined)
    return isObject(value) ? { fits: true } : { fits: false, fault: "It is not a JSON object." };
  return judgeValue(value, schema);
}

function judgeValue(value: JsonValue, schema: JsonObject): OutputVerdict {
  try {
    const validate = compile(schema);
    const fits = validate(value);
    if (typeof fits !== "boolean") return { fits: "unknown", fault: "The schema is asynchronous." };
    return fits ? { fits } : { fits, fault: faultOf(validate.errors?.[0]) };
  } catch {
    return { fits: "unknown", fault: "The server cannot read the schema." };
  }
}

/** A compiler of its own for each schema, so that no schema can refer to another client's. */
function compile(schema: JsonObject): ValidateFunction {
  const { $schema, ...rest } = schema;
  const isSeventh = typeof $schema === "string" && /draft-0[67]\b/.test($schema);
  const ajv = isSeventh ? new Ajv(leniently) : new Ajv2020(leniently);
  return ajv.compile(rest);
}

function faultOf(error: ErrorObject | undefined): string {
  const { instancePath = "", message = "does not fit" } = error ?? {};
  const place = instancePath === "" ? "The answer" : instancePath;
  const fault = `${place} ${message}`.toWellFormed();
  return `${fault.slice(0, maxFaultChars)}${fault.length > maxFaultChars ? "…" : ""}.`;
}

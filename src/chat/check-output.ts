import { isObject, type JsonObject } from "../ports/json.ts";
import type { OutputChecker } from "../ports/output-checker.ts";
import { TroupeError } from "../protocol/errors.ts";
import type { LaneResult } from "./lane-result.ts";

/** The form that an answer was asked to have. Without a schema, it is any JSON object. */
interface OutputForm {
  readonly schema: JsonObject | undefined;
}

/** Reads the words of the Responses API (`text.format`). `undefined` if no form was asked for that could be checked. */
function formOf({ text }: JsonObject): OutputForm | undefined {
  const format = isObject(text) ? text.format : undefined;
  if (!isObject(format)) return undefined;
  if (format.type === "json_object") return { schema: undefined };
  return format.type === "json_schema" && isObject(format.schema) ? { schema: format.schema } : undefined;
}

/** Whether the form of an answer to these options is checked once it is whole. */
export function isFormChecked(options: JsonObject): boolean {
  return formOf(options) !== undefined;
}

/**
 * Returns `invalid_output` if a whole answer does not have the form that the options ask for, or if that could not be found out. An answer
 * that was stopped, cut or refused, or that calls a tool, has no form.
 */
export async function checkOutput(
  { status, finishReason, isCut, text }: LaneResult,
  { owner, options }: { readonly owner: string; readonly options: JsonObject },
  outputs: OutputChecker,
): Promise<TroupeError | undefined> {
  const form = formOf(options);
  if (form === undefined || status !== "completed" || finishReason !== "stop" || isCut === true)
    return undefined;
  const verdict = await outputs.check(owner, text, form.schema);
  if (verdict.fits === true) return undefined;
  // Another answer may fit, but a schema that cannot be checked stays as it is.
  return new TroupeError("invalid_output", { detail: verdict.fault, retryable: verdict.fits === false });
}

import type { z } from "zod";
import { predicate } from "./plain-words.ts";
import { isEchoable } from "./survey-json.ts";

/** Max length of the path that a refusal names, characters. */
const maxPathChars = 512;

/**
 * The first fault that a schema found, parsed with `inPlainWords`. It quotes only names of fields from the input, and keeps nothing of
 * the schema's error.
 */
export interface Fault {
  /** Path of the field at fault, at most 512 characters; `undefined` if it is the whole input. */
  readonly field: string | undefined;
  /** Path of the object that has an unknown field, if that is the fault; `undefined` for the outermost. */
  readonly holder?: string | undefined;
  /** The fault, to follow the name of the field: "must be a number from 0 to 2". */
  readonly detail: string;
}

export function faultIn(error: z.ZodError): Fault {
  const issue = deepest(error.issues[0]);
  if (issue === undefined) return { field: undefined, detail: "is not valid" };
  const unknownKey = issue.code === "unrecognized_keys" ? issue.keys[0] : undefined;
  if (unknownKey === undefined) return { field: pathText(issue.path), detail: predicate(issue.message) };
  const names = isEchoable(unknownKey) ? [unknownKey] : [];
  return {
    field: pathText([...issue.path, ...names]),
    holder: pathText(issue.path),
    detail: "is not known here",
  };
}

function pathText(path: readonly PropertyKey[]): string | undefined {
  // Each part is cut separately: a slice of a name of a megabyte would keep the whole name in memory.
  const text = path.map((part) => String(part).slice(0, maxPathChars)).join(".");
  return text === "" ? undefined : text.slice(0, maxPathChars).toWellFormed();
}

type Issue = z.core.$ZodIssue;

/** Finds the branch of a union that came furthest, because "invalid input" alone does not help. */
function deepest(issue: Issue | undefined): Issue | undefined {
  if (issue?.code !== "invalid_union") return issue;
  const candidates = issue.errors.map((branch) => branch[0]).filter((inner) => inner !== undefined);
  const best = candidates.sort((a, b) => b.path.length - a.path.length)[0];
  if (best === undefined || best.path.length === 0) return issue;
  return deepest({ ...best, path: [...issue.path, ...best.path] });
}

import { z } from "zod";
import { wireLimits } from "./limits.ts";

/** Max length of the path that a refusal names, characters. */
const maxPathChars = 512;

/**
 * The first fault that a schema found, parsed with `inPlainWords`. It quotes only names of fields from the input, and keeps nothing of
 * the schema's error.
 */
interface Fault {
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
  // A list of the wrong length is of the right kind, so the other branches do not matter.
  const found = best === undefined || best.path.length === 0 ? candidates.find(isListLength) : best;
  return found === undefined ? issue : deepest({ ...found, path: [...issue.path, ...found.path] });
}

function isListLength(issue: Issue): boolean {
  return (issue.code === "too_big" || issue.code === "too_small") && issue.origin === "array";
}

type RawIssue = z.core.$ZodRawIssue;

const kinds: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  stringbool: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
};

/** Words for forms that the schemas do not describe themselves. */
const forms: Readonly<Record<string, string>> = {
  url: "an address such as http://host:port",
  date: "a date such as 2026-01-31",
};

/**
 * Describes a fault in plain words, to follow the name of the field: "must be a number from 0 to 2". It is the `error` option of a parse;
 * a schema's own message takes precedence. No word of a validator reaches a user.
 */
export function inPlainWords(issue: RawIssue): string {
  const number = numberIn(issue);
  if (number !== undefined && !isMissing(issue)) return `must be ${number}`;
  switch (issue.code) {
    case "invalid_type":
      return isMissing(issue) ? "is missing" : `must be ${kinds[issue.expected] ?? "something else"}`;
    case "invalid_value":
      return `must be ${either(issue.values.map((value) => JSON.stringify(value) ?? String(value)))}`;
    case "too_small":
      return tooSmall(issue.origin, Number(issue.minimum));
    case "too_big":
      return tooBig(issue.origin, Number(issue.maximum));
    case "invalid_format":
      return `must be ${forms[issue.format] ?? "written in another form"}`;
    case "invalid_key":
      return `has a bad name: it ${issue.issues[0]?.message ?? "is not valid"}`;
    case "invalid_union":
      return union(issue.errors.map(([first]) => first?.message ?? ""));
    default:
      return "is not valid";
  }
}

/** Completes a schema's own message, which may be a bare noun such as "a model name". */
export function predicate(message: string): string {
  return /^(must|is|has|have) /.test(message) ? message : `must be ${message}`;
}

function isMissing({ code, input }: RawIssue): boolean {
  return code === "invalid_type" && (input === undefined || input === null);
}

/** The whole range of a number, regardless of the crossed bound. */
function numberIn(issue: RawIssue): string | undefined {
  const schema = issue.schema ?? issue.inst;
  if (!(schema instanceof z.core.$ZodNumber)) return undefined;
  const { type, minimum, maximum } = z.toJSONSchema(schema);
  const kind = type === "integer" ? "a whole number" : "a number";
  const [least, most] = [bound(minimum), bound(maximum)];
  if (least === undefined) return most === undefined ? kind : `${kind} of at most ${most}`;
  return most === undefined ? `${kind} of at least ${least}` : `${kind} from ${least} to ${most}`;
}

/** A bound that a schema sets, not the range of safe integers itself. */
function bound(value: number | undefined): number | undefined {
  return value !== undefined && Math.abs(value) < Number.MAX_SAFE_INTEGER ? value : undefined;
}

function tooSmall(origin: string, least: number): string {
  if (origin === "string")
    return least === 1 ? "must not be empty" : `must have at least ${least} characters`;
  if (origin === "array") return `must have at least ${least} ${least === 1 ? "item" : "items"}`;
  return `must be at least ${least}`;
}

function tooBig(origin: string, most: number): string {
  if (origin === "string") return `must have at most ${most} characters`;
  if (origin === "array") return `must have at most ${most} items`;
  if (origin === "object" || origin === "record") return `must have at most ${most} members`;
  return `must be at most ${most}`;
}

function union(messages: readonly string[]): string {
  const kinds = messages
    .map((message) => predicate(message))
    .filter((message) => message.startsWith("must be "));
  return kinds.length === 0
    ? "is not valid"
    : `must be ${kinds.map((kind) => kind.slice("must be ".length)).join(", or ")}`;
}

function either(words: readonly string[]): string {
  const before = words.slice(0, -1).join(", ");
  return before === "" ? (words[0] ?? "") : `${before} or ${words.at(-1)}`;
}

/** Whether a `type` or an `id` is short enough to echo in a refusal. */
export function isEchoable(value: unknown): value is string {
  if (typeof value !== "string" || value.length > 2 * wireLimits.idChars) return false;
  return value.length <= wireLimits.idChars || [...value].length <= wireLimits.idChars;
}

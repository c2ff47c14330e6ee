import { type Change, mutations } from "./mutations.ts";
import { childrenOf, nodeIn, parseSource, type SyntaxNode } from "./syntax-node.ts";

/** A source with a single change that a test should notice. */
export interface Mutant extends Change {
  /** Path from the root, with forward slashes. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /**
   * The changed lines before and after, each joined into one line and shortened. Together with the file they name the
   * mutant, even if its line number changes.
   */
  readonly before: string;
  readonly after: string;
}

/** Names a mutant in records and arguments. */
export function nameOf({ file, before, after }: Pick<Mutant, "file" | "before" | "after">): string {
  return `${file}: ${before} -> ${after}`;
}

const logMethods = ["trace", "debug", "info", "warn", "error", "fatal"];
const describers = ["describe", "meta"];
/** The type nodes that contain an expression that runs. */
const typedExpressions = ["TSAsExpression", "TSSatisfiesExpression", "TSNonNullExpression"];

/** Every mutant of a source, in order of place. Throws if the text is not valid TypeScript. */
export function findMutants(file: string, text: string): Mutant[] {
  const tree = parseSource(file, text);
  if (tree === undefined) throw new Error(`${file} is not valid TypeScript.`);
  const changes: Change[] = [];

  function visit(node: SyntaxNode, ancestors: readonly SyntaxNode[]): void {
    if (isSilent(node, ancestors)) return;
    changes.push(...(mutations[node.type]?.({ node, ancestors, text }) ?? []));
    for (const child of childrenOf(node)) visit(child, [node, ...ancestors]);
  }

  visit(tree, []);
  return changes
    .sort((a, b) => a.start - b.start || a.end - b.end)
    .filter(({ start, end, replacement }) => text.slice(start, end) !== replacement)
    .map((change) => describe(file, text, change))
    .filter((mutant) => parseSource(file, applyMutant(text, mutant)) !== undefined);
}

export function applyMutant(text: string, { start, end, replacement }: Change): string {
  return text.slice(0, start) + replacement + text.slice(end);
}

/** Types, imports, log messages and descriptions have no effect that a test should check. */
function isSilent(node: SyntaxNode, [parent]: readonly SyntaxNode[]): boolean {
  if (node.type.startsWith("TS") && !typedExpressions.includes(node.type)) return true;
  if (["ImportDeclaration", "ExportAllDeclaration", "Decorator"].includes(node.type)) return true;
  if (parent?.type !== "CallExpression" || parent.callee === node) return false;
  const callee = nodeIn(parent, "callee");
  const method = callee === undefined ? undefined : String(nodeIn(callee, "property")?.name);
  if (callee === undefined || method === undefined) return false;
  return describers.includes(method) || (logMethods.includes(method) && namesLog(nodeIn(callee, "object")));
}

/** True for `log`, `this.#log`, `context.log` and `console`. */
function namesLog(object: SyntaxNode | undefined): boolean {
  const name = object === undefined ? undefined : (object.name ?? nodeIn(object, "property")?.name);
  return /^(log|logger|console)$/i.test(String(name));
}

/** Characters of a line shown on each side of the change, and the maximum shown of the change itself. */
const shownAround = 60;
const shownOfChange = 80;

function describe(file: string, text: string, change: Change): Mutant {
  const { start, end, replacement } = change;
  const lineStart = text.lastIndexOf("\n", start - 1) + 1;
  const nextLine = text.indexOf("\n", end);
  const head = oneLine(text.slice(lineStart, start));
  const tail = oneLine(text.slice(end, nextLine < 0 ? text.length : nextLine));
  const around = (middle: string) => {
    const left = head.length > shownAround ? `…${head.slice(-shownAround)}` : head;
    const right = tail.length > shownAround ? `${tail.slice(0, shownAround)}…` : tail;
    return (left + shorten(oneLine(middle)) + right).trim();
  };
  return {
    ...change,
    file,
    line: text.slice(0, start).split("\n").length,
    before: around(text.slice(start, end)),
    after: around(replacement),
  };
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ");
}

function shorten(text: string): string {
  return text.length > shownOfChange ? `${text.slice(0, shownOfChange)}…` : text;
}

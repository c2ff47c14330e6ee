import { parseSync } from "oxc-parser";

/** A node of a syntax tree (ESTree with TypeScript). `start` and `end` are offsets in the text, in UTF-16 units. */
export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

/** The tree of a source; `undefined` for a text that is not valid TypeScript. */
export function parseSource(file: string, text: string): SyntaxNode | undefined {
  const { program, errors } = parseSync(file, text);
  const root: unknown = program;
  return errors.length === 0 && isNode(root) ? root : undefined;
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === "object" && value !== null && "type" in value && "start" in value;
}

/** The node in a field; `undefined` if there is none. */
export function nodeIn(node: SyntaxNode, field: string): SyntaxNode | undefined {
  const value = node[field];
  return isNode(value) ? value : undefined;
}

/** The nodes below a node, in order. */
export function childrenOf(node: SyntaxNode): SyntaxNode[] {
  return Object.values(node).flat().filter(isNode);
}

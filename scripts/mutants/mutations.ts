import { nodeIn, type SyntaxNode } from "./syntax-node.ts";

/** A single change of a source: the text from `start` to `end` becomes `replacement`. */
export interface Change {
  /** The kind of change, e.g. `boundary`. */
  readonly operator: string;
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
}

/** A node and its ancestors. */
interface Place {
  readonly node: SyntaxNode;
  /** From the parent outwards. */
  readonly ancestors: readonly SyntaxNode[];
  readonly text: string;
}

type Mutate = (place: Place) => Change[];

/** Signs and methods that replace one another. */
const boundaries = exchanges(["<", "<="], [">", ">="]);
const equalities = exchanges(["===", "!=="]);
const sums = exchanges(["+", "-"], ["*", "/"]);
const assignedSums = exchanges(["+=", "-="]);
const connectives = exchanges(["&&", "||"]);
const opposites = exchanges(["some", "every"], ["min", "max"], ["startsWith", "endsWith"]);
/** Numbers below this are counts. Larger ones are sizes, times and codes. */
const firstLargeNumber = 10;

/** The changes for each type of node. Texts are left alone, because no test should check the wording of a sentence. */
export const mutations: Readonly<Record<string, Mutate>> = {
  IfStatement: negateTest,
  ConditionalExpression: negateTest,
  BinaryExpression: changeComparison,
  LogicalExpression: changeLogic,
  AssignmentExpression: (place) => swapOperator(place, "arithmetic", assignedSums),
  UpdateExpression: changeStep,
  UnaryExpression: dropNegation,
  Literal: changeLiteral,
  ExpressionStatement: dropStatement,
  ReturnStatement: leaveGuard,
  ThrowStatement: leaveGuard,
  ContinueStatement: leaveGuard,
  BreakStatement: leaveGuard,
  SpreadElement: emptySpread,
  MemberExpression: swapMethod,
  CallExpression: dropCatch,
  TryStatement: emptyTryParts,
};

function exchanges(...pairs: readonly [string, string][]): ReadonlyMap<string, string> {
  return new Map(
    pairs.flatMap(([one, other]) => [
      [one, other],
      [other, one],
    ]),
  );
}

function replace(node: SyntaxNode, operator: string, replacement: string): Change {
  return { operator, start: node.start, end: node.end, replacement };
}

function textOf({ text }: Place, node: SyntaxNode): string {
  return text.slice(node.start, node.end);
}

function negateTest(place: Place): Change[] {
  const test = nodeIn(place.node, "test");
  return test === undefined ? [] : [replace(test, "condition", `!(${textOf(place, test)})`)];
}

/** The statement's own mutation negates the whole condition, so changing its operator would repeat that mutant. */
function isWholeTest({ node, ancestors: [parent] }: Place): boolean {
  return parent !== undefined && parent.test === node && parent.type !== "ForStatement";
}

function swapOperator({ node, text }: Place, operator: string, table: ReadonlyMap<string, string>): Change[] {
  const sign = String(node.operator);
  const left = nodeIn(node, "left");
  const other = table.get(sign);
  if (left === undefined || other === undefined) return [];
  const start = text.indexOf(sign, left.end);
  return [{ operator, start, end: start + sign.length, replacement: other }];
}

function changeComparison(place: Place): Change[] {
  const { left, right } = place.node;
  const joinsTexts = [left, right].some((side) => isText(side));
  return [
    ...swapOperator(place, "boundary", boundaries),
    ...(isWholeTest(place) ? [] : swapOperator(place, "equality", equalities)),
    ...(joinsTexts ? [] : swapOperator(place, "arithmetic", sums)),
  ];
}

function isText(side: unknown): boolean {
  if (typeof side !== "object" || side === null || !("type" in side)) return false;
  return side.type === "TemplateLiteral" || ("value" in side && typeof side.value === "string");
}

function changeLogic(place: Place): Change[] {
  const { node } = place;
  const [left, right] = [nodeIn(node, "left"), nodeIn(node, "right")];
  if (left === undefined || right === undefined) return [];
  if (node.operator !== "??") return swapOperator(place, "logic", connectives);
  return [left, right].map((side) => replace(node, "default", `(${textOf(place, side)})`));
}

function changeStep({ node, text }: Place): Change[] {
  const other = node.operator === "++" ? "--" : "++";
  return [
    replace(node, "arithmetic", text.slice(node.start, node.end).replace(String(node.operator), other)),
  ];
}

function dropNegation(place: Place): Change[] {
  const argument = nodeIn(place.node, "argument");
  if (place.node.operator !== "!" || argument === undefined || isWholeTest(place)) return [];
  return [replace(place.node, "negation", textOf(place, argument))];
}

function changeLiteral({ node, ancestors: [parent] }: Place): Change[] {
  const { value } = node;
  if (parent?.type === "Property" && parent.key === node) return [];
  if (typeof value === "boolean") return [replace(node, "literal", String(!value))];
  if (typeof value === "number") {
    if (value < firstLargeNumber) return [replace(node, "literal", String(value + 1))];
    return [replace(node, "literal", "0"), replace(node, "literal", String(value * 1_000))];
  }
  const isCompared =
    parent?.type === "SwitchCase" ||
    (parent?.type === "BinaryExpression" && equalities.has(String(parent.operator)));
  return typeof value === "string" && value !== "" && isCompared ? [replace(node, "literal", '""')] : [];
}

function dropStatement({ node }: Place): Change[] {
  const [expression] = unwrap(nodeIn(node, "expression"));
  const callee = expression === undefined ? undefined : nodeIn(expression, "callee");
  if (expression === undefined || callee?.type === "Super") return [];
  const hasEffect =
    ["CallExpression", "AssignmentExpression"].includes(expression.type) || expression.operator === "delete";
  return hasEffect ? [replace(node, "statement", ";")] : [];
}

/** The expression inside `await` and `void`. */
function unwrap(node: SyntaxNode | undefined): SyntaxNode[] {
  if (node === undefined) return [];
  const isWrapper = node.type === "AwaitExpression" || node.operator === "void";
  return isWrapper
    ? unwrap(nodeIn(node, "argument"))
    : [node.type === "ChainExpression" ? (nodeIn(node, "expression") ?? node) : node];
}

/** A way out that only an `if` leads to. */
function leaveGuard({ node, ancestors }: Place): Change[] {
  const outer = ancestors.find(({ type }) => type !== "BlockStatement");
  return outer?.type === "IfStatement" ? [replace(node, "guard", ";")] : [];
}

function emptySpread({ node, ancestors: [parent] }: Place): Change[] {
  return parent?.type === "ObjectExpression" ? [replace(node, "spread", "...{}")] : [];
}

function swapMethod({ node }: Place): Change[] {
  const property = nodeIn(node, "property");
  const other = node.computed === true ? undefined : opposites.get(String(property?.name));
  return property === undefined || other === undefined ? [] : [replace(property, "method", other)];
}

function dropCatch(place: Place): Change[] {
  const callee = nodeIn(place.node, "callee");
  const object = callee === undefined ? undefined : nodeIn(callee, "object");
  if (callee === undefined || object === undefined) return [];
  const isCatch = nodeIn(callee, "property")?.name === "catch";
  return isCatch ? [replace(place.node, "catch", textOf(place, object))] : [];
}

function emptyTryParts({ node }: Place): Change[] {
  const handler = nodeIn(node, "handler");
  const parts = [
    ["catch", handler === undefined ? undefined : nodeIn(handler, "body")],
    ["finally", nodeIn(node, "finalizer")],
  ] as const;
  return parts.flatMap(([operator, block]) => (block === undefined ? [] : [replace(block, operator, "{}")]));
}

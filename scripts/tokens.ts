import { LanguageVariant, SyntaxKind } from "typescript/unstable/ast";
import { createScanner } from "typescript/unstable/ast/scanner";

/** One word, sign or literal of a TypeScript or JavaScript source. Comments and white space are not tokens. */
export interface Token {
  readonly kind: SyntaxKind;
  /** As written. For a string literal: its contents, unescaped. */
  readonly text: string;
  /** From 1. */
  readonly line: number;
  /** Offset of its first character in the source; `end` is the offset after its last one. */
  readonly start: number;
  readonly end: number;
}

/** Words after which a slash starts a regular expression. After every other word, a slash divides. */
const wordsBeforeRegularExpression = new Set<SyntaxKind>([
  SyntaxKind.ReturnKeyword,
  SyntaxKind.TypeOfKeyword,
  SyntaxKind.CaseKeyword,
  SyntaxKind.DoKeyword,
  SyntaxKind.ElseKeyword,
  SyntaxKind.InKeyword,
  SyntaxKind.InstanceOfKeyword,
  SyntaxKind.NewKeyword,
  SyntaxKind.DeleteKeyword,
  SyntaxKind.VoidKeyword,
  SyntaxKind.ThrowKeyword,
  SyntaxKind.YieldKeyword,
  SyntaxKind.AwaitKeyword,
  SyntaxKind.OfKeyword,
]);

/** Signs and literals that end an expression, so a slash after them divides. */
const endsOfExpression = new Set<SyntaxKind>([
  SyntaxKind.Identifier,
  SyntaxKind.PrivateIdentifier,
  SyntaxKind.NumericLiteral,
  SyntaxKind.BigIntLiteral,
  SyntaxKind.StringLiteral,
  SyntaxKind.RegularExpressionLiteral,
  SyntaxKind.NoSubstitutionTemplateLiteral,
  SyntaxKind.TemplateTail,
  SyntaxKind.CloseParenToken,
  SyntaxKind.CloseBracketToken,
  SyntaxKind.CloseBraceToken,
  SyntaxKind.PlusPlusToken,
  SyntaxKind.MinusMinusToken,
]);

/**
 * Cuts a source into tokens with the compiler's own scanner. The parser usually tells the scanner where a regular
 * expression or the rest of a template starts. Here the previous token decides, which is right for everything but `if (x)
 * /re/.test(y)`. Throws if a template never ends, because the scanner would miss everything after it.
 */
export function readTokens(text: string, fileName: string): Token[] {
  const variant = /\.[jt]sx$/.test(fileName) ? LanguageVariant.JSX : LanguageVariant.Standard;
  const scanner = createScanner(true, variant, text);
  const tokens: Token[] = [];
  // One entry per open template: how many braces are open within its `${`.
  const openTemplates: number[] = [];
  let line = 1;
  let countedTo = 0;
  for (let kind = scanner.scan(); kind !== SyntaxKind.EndOfFile; kind = scanner.scan()) {
    if (scanner.getTokenEnd() === scanner.getTokenStart()) {
      // A lone `#`, as in the text of JSX, is no token of the language, and the scanner would stay on it for ever.
      scanner.resetTokenState(scanner.getTokenEnd() + 1);
      continue;
    }
    const previous = tokens.at(-1)?.kind;
    if (kind === SyntaxKind.SlashToken || kind === SyntaxKind.SlashEqualsToken) {
      if (!dividesAfter(previous)) kind = scanner.reScanSlashToken();
    }
    const innermost = openTemplates.length - 1;
    const openBraces = openTemplates[innermost];
    if (kind === SyntaxKind.TemplateHead) openTemplates.push(0);
    else if (kind === SyntaxKind.OpenBraceToken && openBraces !== undefined)
      openTemplates[innermost] = openBraces + 1;
    else if (kind === SyntaxKind.CloseBraceToken && openBraces === 0) {
      kind = scanner.reScanTemplateToken(false);
      if (kind === SyntaxKind.TemplateTail) openTemplates.pop();
    } else if (kind === SyntaxKind.CloseBraceToken && openBraces !== undefined)
      openTemplates[innermost] = openBraces - 1;

    for (const start = scanner.getTokenStart(); countedTo < start; countedTo++)
      if (text[countedTo] === "\n") line++;
    if (scanner.isUnterminated() && isTemplate(kind))
      throw new Error(`${fileName}:${line}: unreadable source`);
    tokens.push({
      kind,
      text: kind === SyntaxKind.StringLiteral ? scanner.getTokenValue() : scanner.getTokenText(),
      line,
      start: scanner.getTokenStart(),
      end: scanner.getTokenEnd(),
    });
  }
  return tokens;
}

function dividesAfter(kind: SyntaxKind | undefined): boolean {
  if (kind === undefined) return false;
  if (endsOfExpression.has(kind)) return true;
  const isWord = kind >= SyntaxKind.FirstKeyword && kind <= SyntaxKind.LastKeyword;
  return isWord && !wordsBeforeRegularExpression.has(kind);
}

function isTemplate(kind: SyntaxKind): boolean {
  return (
    kind === SyntaxKind.NoSubstitutionTemplateLiteral ||
    (kind >= SyntaxKind.FirstTemplateToken && kind <= SyntaxKind.LastTemplateToken)
  );
}

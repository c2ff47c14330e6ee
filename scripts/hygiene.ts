import { SyntaxKind } from "typescript/unstable/ast";
import { readTokens, type Token } from "./tokens.ts";

interface TextRule {
  readonly pattern: RegExp;
  readonly reason: string;
  /** A comment on the same line or the line above that gives the reason satisfies the rule. */
  readonly commentExcuses?: boolean;
}

/** Rules for every text file, line by line. The patterns are written so that they do not match themselves. */
const textRules: readonly TextRule[] = [
  {
    pattern: /\b(TOD[O]|FIXM[E]|XX[X])\b/,
    reason: "unfinished work does not go in: do it or write it down elsewhere",
  },
  { pattern: /\.only[(]/, reason: "only one test would run" },
  { pattern: /\.skip[(]/, reason: "a skipped test needs a comment that says why", commentExcuses: true },
  {
    pattern: /@ts-(ignore|expect-error|nocheck)\b/,
    reason: "the compiler is told to look away: mend the type",
  },
  {
    pattern: /(?<![\w.~$}])\/(?:work|(?:home|Users)\/(?!user\b|you\b|me\b|name\b|node\b|[<{$*]))[\w.-]*\//,
    reason: "a path of somebody's own machine",
  },
];

/** A path of the wire in code that knows no door. */
const wirePath = /["`]data\.[a-z_]+/;
const inside = /^src\/(chat|server|ports|adapters)\//;

/** The faults of one text file, each as `path:line: fault`. */
export function findUnclean(path: string, text: string): string[] {
  const lines = text.split("\n");
  const findings = lines.flatMap((line, index) =>
    textRules
      .filter(({ pattern, commentExcuses }) => {
        if (!pattern.test(line)) return false;
        return commentExcuses !== true || !(hasComment(line) || hasComment(lines[index - 1] ?? ""));
      })
      .map(({ reason }) => `${path}:${index + 1}: ${reason}`),
  );
  if (inside.test(path))
    findings.push(
      ...lines.flatMap((line, index) =>
        wirePath.test(line) ? [`${path}:${index + 1}: a path of the wire inside: a door translates it`] : [],
      ),
    );
  if (/\.[jt]sx?$/.test(path)) findings.push(...findInCode(path, text));
  if (path === "package-lock.json") findings.push(...findRegistryHosts(path, lines));
  return findings;
}

function hasComment(line: string): boolean {
  return /(^|\s)(\/\/|\/\*|\*|#)\s*\w/.test(line);
}

/** Rules that need the tokens of TypeScript or JavaScript, because a comment may use the same words freely. */
function findInCode(path: string, text: string): string[] {
  const tokens = readTokens(text, path);
  return tokens.flatMap((token, index) => {
    const next = tokens[index + 1];
    if (token.kind === SyntaxKind.AsKeyword && next?.kind === SyntaxKind.AnyKeyword) {
      return [`${path}:${token.line}: a cast that switches the types off`];
    }
    return isEmptyCatch(tokens, index)
      ? [`${path}:${token.line}: a failure is swallowed by an empty catch`]
      : [];
  });
}

/** `catch {}`, `catch (error) {}` and `.catch(() => {})`, with or without a comment in the braces. */
function isEmptyCatch(tokens: readonly Token[], index: number): boolean {
  if (tokens[index]?.kind !== SyntaxKind.CatchKeyword) return false;
  const rest = tokens
    .slice(index + 1, index + 8)
    .map(({ text }) => text)
    .join(" ");
  const isMethod = tokens[index - 1]?.kind === SyntaxKind.DotToken;
  return isMethod ? /^\( (\( \w* ?\)|\w+) => \{ \}/.test(rest) : /^(\( \w+ \) )?\{ \}/.test(rest);
}

function findRegistryHosts(path: string, lines: readonly string[]): string[] {
  return lines.flatMap((line, index) =>
    /"resolved":\s*"https?:/.test(line) ? [`${path}:${index + 1}: names a registry host`] : [],
  );
}

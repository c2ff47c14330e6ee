import { extname } from "node:path";
import { SyntaxKind } from "typescript/unstable/ast";
import { proseLines } from "./markdown-links.ts";
import { readTokens, type Token } from "./tokens.ts";

/** A piece of prose that is read at once: a comment, a paragraph, a list item, a table cell or a sentence for users. */
export interface Prose {
  readonly text: string;
  /** The line it starts on, from 1. */
  readonly line: number;
  /** True for a heading of a document. */
  readonly isTitle?: boolean;
}

interface Line {
  readonly text: string;
  readonly line: number;
}

/** A shorter string literal is a name, a label or a key, not a sentence. */
const wordsOfSentence = 4;

/** All prose of a file; none if its kind is unknown. Code, link targets and quoted text are left out. */
export function readProse(path: string, text: string): Prose[] {
  switch (extname(path)) {
    case ".ts":
    case ".tsx":
    case ".js": {
      const tokens = readTokens(text, path);
      return [...joinLines(commentLines(text, tokens)), ...sentencesForUsers(path, tokens)];
    }
    case ".css":
      return joinLines(blockComments(text, /\/\*(?<body>.*?)\*\//gs));
    case ".html":
      return joinLines(blockComments(text, /<!--(?<body>.*?)-->/gs));
    case ".py":
    case ".sh":
      return joinLines(hashComments(text));
    case ".md":
      return readMarkdown(text);
    default:
      return [];
  }
}

/** Comments are between tokens, with only white space beside them. */
function commentLines(text: string, tokens: readonly Token[]): Line[] {
  const lines: Line[] = [];
  let end = text.startsWith("#!") ? text.indexOf("\n") : 0;
  for (const token of [...tokens, { start: text.length, end: text.length }]) {
    const gap = text.slice(end, token.start);
    if (gap.includes("//") || gap.includes("/*")) lines.push(...linesAt(text, end, stripMarks(gap)));
    end = token.end;
  }
  return lines;
}

/** Blanks the signs of comments and everything after `@example`. Characters stay on their lines. */
function stripMarks(gap: string): string {
  return gap
    .replaceAll(/\/\*\*?/g, "")
    .replaceAll(/\*\//g, "\n")
    .replaceAll(/^[ \t]*(\*|\/\/)[ \t]?/gm, "")
    .replaceAll(/^(\s*)\/\//g, "$1")
    .replaceAll(/ \/\/ /g, " ")
    .replace(/@example[\s\S]*?(?=@|$)/g, (example) => "\n".repeat(example.split("\n").length - 1));
}

function blockComments(text: string, pattern: RegExp): Line[] {
  return [...text.matchAll(pattern)].flatMap((match) => linesAt(text, match.index, match.groups?.body ?? ""));
}

function hashComments(text: string): Line[] {
  return text.split("\n").flatMap((line, index) => {
    const comment = /(?:^|\s)#(?!!) ?(?<comment>.*)$/.exec(line)?.groups?.comment;
    return [{ text: comment ?? "", line: index + 1 }];
  });
}

function linesAt(text: string, start: number, part: string): Line[] {
  const first = text.slice(0, start).split("\n").length;
  const lines = part.split("\n").map((line, index) => ({ text: line.trim(), line: first + index }));
  return [...lines, { text: "", line: first + lines.length }];
}

/** Joins neighbouring lines. An empty line ends a piece; a list item, a tag or a table row starts a new one. */
function joinLines(lines: readonly Line[]): Prose[] {
  const prose: Prose[] = [];
  let open: Line | undefined;
  const close = () => {
    if (open !== undefined && open.text !== "") prose.push(open);
    open = undefined;
  };
  for (const { text, line } of lines) {
    if (/^([-*] |\d+\. |@\w|\|)/.test(text)) close();
    if (text === "") close();
    else open = { text: open === undefined ? text : `${open.text} ${text}`, line: open?.line ?? line };
  }
  close();
  return prose.map(({ text, line }) => ({ text: withoutCode(text), line }));
}

/** Sources with the texts of a persona or of the demonstration, which are not ours to judge. */
const voices = /^src\/adapters\/(builtin-personas|demo)\//;

/** String literals and templates that read like a sentence: errors, help and labels. */
function sentencesForUsers(path: string, tokens: readonly Token[]): Prose[] {
  if (!path.startsWith("src/") || voices.test(path)) return [];
  const isText = (kind: SyntaxKind) =>
    kind === SyntaxKind.StringLiteral || kind === SyntaxKind.NoSubstitutionTemplateLiteral;
  return tokens.flatMap(({ kind, text: literal, line }) => {
    const isSentence = isText(kind) && /^[A-Z].*[.!?]`?$/s.test(literal.replace(/^`/, ""));
    if (!isSentence || literal.split(/\s+/).length < wordsOfSentence) return [];
    return [{ text: withoutCode(literal), line }];
  });
}

function readMarkdown(text: string): Prose[] {
  const titles: Prose[] = [];
  const lines = proseLines(text, "keep code spans").map((prose, index): Line => {
    const line = index + 1;
    const title = /^#{1,6} (?<title>.*)$/.exec(prose)?.groups?.title;
    if (title !== undefined) titles.push({ text: title, line, isTitle: true });
    return { text: title === undefined ? prose.trim() : "", line };
  });
  const cells = joinLines(lines).flatMap(({ text: row, line }) =>
    row.startsWith("|") ? row.split("|").map((cell) => ({ text: cell.trim(), line })) : [{ text: row, line }],
  );
  return [...cells.filter(({ text: cell }) => cell !== ""), ...titles];
}

/** Code becomes one word. Quoted text is left out, because it is not ours to judge. */
function withoutCode(text: string): string {
  return text
    .replaceAll(/(`+)(?!`).*?(?<!`)\1(?!`)/g, "CODE")
    .replaceAll(/\]\([^)]*\)/g, "]")
    .replaceAll(/https?:\S+/g, "URL")
    .replaceAll(/(?<!\w)"[^"]*"/g, "QUOTE");
}

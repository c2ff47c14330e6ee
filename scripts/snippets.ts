import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./repository.ts";

/** One fenced block of a Markdown file. */
export interface Snippet {
  /** From a line `<!-- snippet: name -->` just before the fence. */
  readonly name?: string;
  /** The word after the fence, in lower case; empty if there is none. */
  readonly language: string;
  /** The lines between the fences without the fence's own indentation, each with its line end. */
  readonly code: string;
  /** The number of its first line of code in the file, from 1. */
  readonly line: number;
}

const opening = /^(?<indent> *)(?<fence>`{3,}|~{3,})\s*(?<language>[^\s`{]*)/;
const marker = /^\s*<!-- snippet: (?<name>\S+) -->\s*$/;

/** Every fenced block of a Markdown file (its path from the root), in order. Throws as `parseSnippets` does. */
export function readSnippets(file: string): Snippet[] {
  return parseSnippets(readFileSync(join(root, file), "utf8"), file);
}

/** Every `@example` in the doc comments of a source file (its path from the root), in order. Each is a whole module. */
export function readExamples(file: string): Snippet[] {
  const lines = readFileSync(join(root, file), "utf8").split(/\r?\n/);
  return lines.flatMap((line, index) => {
    if (!/^ *\* @example$/.test(line)) return [];
    const end = lines.findIndex((later, place) => place > index && /^ *\*(\/| @)/.test(later));
    const code = lines.slice(index + 1, end).map((text) => `${text.replace(/^ *\* ?/, "")}\n`);
    return [{ language: "ts", code: code.join(""), line: index + 2 }];
  });
}

/**
 * Every fenced block of a Markdown text, in order. Throws if a fence never closes or a name occurs twice; `file` is used
 * only in the error.
 */
export function parseSnippets(markdown: string, file: string): Snippet[] {
  const lines = markdown.split(/\r?\n/);
  const snippets: Snippet[] = [];
  for (let index = 0; index < lines.length; index++) {
    const match = opening.exec(lines[index] ?? "")?.groups;
    if (match === undefined) continue;
    const { indent = "", fence = "", language = "" } = match;
    const first = index + 1;
    const last = lines.findIndex((line, place) => place >= first && isClosing(line, fence));
    if (last < 0) throw new Error(`${file}:${first}: this fence never closes`);
    const code = lines.slice(first, last).map((line) => `${withoutIndent(line, indent.length)}\n`);
    const name = marker.exec(lines[index - 1] ?? "")?.groups?.name;
    if (name !== undefined && snippets.some((snippet) => snippet.name === name)) {
      throw new Error(`${file}:${index}: there is already a snippet called ${name}`);
    }
    snippets.push({
      ...(name === undefined ? {} : { name }),
      language: language.toLowerCase(),
      code: code.join(""),
      line: first + 1,
    });
    index = last;
  }
  return snippets;
}

/** A fence is closed by a line of at least as many of the same characters. */
function isClosing(line: string, fence: string): boolean {
  const text = line.trim();
  return text.startsWith(fence) && text === (fence[0] ?? "").repeat(text.length);
}

function withoutIndent(line: string, width: number): string {
  const spaces = line.length - line.trimStart().length;
  return line.slice(Math.min(spaces, width));
}

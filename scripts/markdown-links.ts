/** A link that stays inside the repository. */
export interface MarkdownLink {
  /** As written, e.g. `docs/page.md#part`. */
  readonly target: string;
  /** From 1. */
  readonly line: number;
}

/**
 * Every relative link and picture of a Markdown text, including `[name]: target`. Links in code and links with a scheme
 * are left out.
 */
export function readLinks(markdown: string): MarkdownLink[] {
  return proseLines(markdown).flatMap((text, index) => {
    const inline = [...text.matchAll(/\]\(\s*<?(?<target>[^)\s>]+)>?(?:\s+["'][^)]*)?\s*\)/g)];
    const named = [...text.matchAll(/^\s{0,3}\[[^\]]+\]:\s+<?(?<target>[^\s>]+)/g)];
    return [...inline, ...named].flatMap(({ groups }) => {
      const target = groups?.target ?? "";
      return /^([a-z][a-z0-9+.-]*:|\/\/)/i.test(target) ? [] : [{ target, line: index + 1 }];
    });
  });
}

/** A part of a page that a text names. */
interface NamedPart {
  /** The file's name or path, as written. */
  readonly page: string;
  readonly title: string;
  /** From 1. */
  readonly line: number;
}

/**
 * Every mention of a heading in the form `CONTRIBUTING.md, "Plain English"` or `"Plain English" in CONTRIBUTING.md`, also if it is broken
 * between lines of a comment.
 */
export function readNamedParts(text: string): NamedPart[] {
  const gap = String.raw`(?:\s+(?:(?:\*|//|#)\s+)?)`;
  const page = String.raw`(?<page>[\w./-]+\.md)`;
  const title = String.raw`"(?<title>[A-Z](?:[^"\n\x60;(){}]|\n\s*(?:\*|//|#)\s){2,80})"`;
  const found = [
    ...text.matchAll(new RegExp(`${page},${gap}${title}`, "g")),
    ...text.matchAll(new RegExp(`${title}${gap}in${gap}${page}`, "g")),
  ];
  return found.map(({ index, groups }) => ({
    page: groups?.page ?? "",
    title: (groups?.title ?? "").replaceAll(new RegExp(gap, "g"), " "),
    line: text.slice(0, index).split("\n").length,
  }));
}

/**
 * The anchors of a Markdown text as GitHub makes them: the heading in lower case, without signs, with hyphens for spaces,
 * and with a number if the heading occurs again. Every `id` and `name` of an HTML element is an anchor too.
 */
export function readAnchors(markdown: string): Set<string> {
  const anchors = new Set<string>();
  for (const line of proseLines(markdown, "keep code spans")) {
    for (const { groups } of line.matchAll(/<[a-z]+\s[^>]*\b(?:id|name)="(?<anchor>[^"]+)"/gi)) {
      anchors.add(groups?.anchor ?? "");
    }
    const heading = /^#{1,6}\s+(?<title>.*?)\s*#*$/.exec(line)?.groups?.title;
    if (heading === undefined) continue;
    const slug = slugOf(heading);
    let anchor = slug;
    for (let again = 1; anchors.has(anchor); again++) anchor = `${slug}-${again}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** The anchor of a heading, unless an earlier one of the page has it. */
export function slugOf(heading: string): string {
  return heading
    .replaceAll(/!?\[(?<text>[^\]]*)\]\([^)]*\)/g, "$<text>")
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc} -]/gu, "")
    .replaceAll(" ", "-");
}

/** The text's lines with fenced blocks and, by default, code spans blanked, so that line numbers stay. */
export function proseLines(markdown: string, codeSpans?: "keep code spans"): string[] {
  let fence: string | undefined;
  return markdown.split(/\r?\n/).map((line) => {
    const mark = /^\s*(?<fence>`{3,}|~{3,})/.exec(line)?.groups?.fence;
    if (fence !== undefined) {
      if (mark?.startsWith(fence)) fence = undefined;
      return "";
    }
    fence = mark;
    if (mark !== undefined) return "";
    return codeSpans === undefined ? line.replaceAll(/(`+)(?!`).*?(?<!`)\1(?!`)/g, "") : line;
  });
}

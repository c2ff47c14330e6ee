import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { listSettings } from "../../src/compose/settings.ts";
import { type CheckOutcome, outcomeOf } from "../check-outcome.ts";
import { readAnchors, readLinks, readNamedParts, slugOf } from "../markdown-links.ts";
import { listFiles, root } from "../repository.ts";
import { runCommand } from "../run-command.ts";
import { readExamples, readSnippets, type Snippet } from "../snippets.ts";

/** The pages with code that readers copy. */
const pages = [
  "README.md",
  "PROTOCOL.md",
  "ARCHITECTURE.md",
  "CONTRIBUTING.md",
  "docs/clients.md",
  "docs/deploy.md",
  "docs/embed.md",
  "docs/http-api.md",
  "docs/keys.md",
  "docs/operate.md",
  "docs/personas.md",
  "docs/providers.md",
  "docs/scale-out.md",
];

/** The settings, and the variable of the Python client. */
const knownVariables = new Set([...listSettings().map(({ name }) => name), "TROUPE_KEY"]);

/** Ignored by git and outside `node_modules`, where the package could not import itself by its name. */
const workFolder = "artifacts/snippets";

/** Readers of JavaScript cannot write types, so their snippets are checked for names and arguments only. */
const dialects = [
  { name: "typescript", languages: ["ts", "tsx"], options: {} },
  {
    name: "javascript",
    languages: ["js", "jsx"],
    options: { allowJs: true, checkJs: true, strict: false, exactOptionalPropertyTypes: false },
  },
];

/**
 * Checks that the documentation's JSON parses, its code and the examples in doc comments compile, its relative links lead to a file, and its
 * settings exist. Headings that any text names must exist too.
 */
export async function checkDocumentation(): Promise<CheckOutcome> {
  const files = await listFiles();
  const texts = new Map<string, string>();
  for (const path of files.filter((name) => name.endsWith(".md"))) {
    texts.set(path, await readFile(join(root, path), "utf8"));
  }

  const findings: string[] = [];
  const snippets: (Snippet & { page: string })[] = [];
  for (const page of pages) {
    const text = texts.get(page);
    if (text === undefined) continue;
    findings.push(...unknownSettings(page, text));
    for (const snippet of readSnippets(page)) snippets.push({ ...snippet, page });
  }
  for (const page of files.filter((name) => name.startsWith("src/") && name.endsWith(".ts")))
    for (const example of readExamples(page)) snippets.push({ ...example, page });
  findings.push(...snippets.flatMap((snippet) => jsonObjection(snippet, snippet.page)));
  for (const { name, languages, options } of dialects) {
    const ofDialect = snippets.filter(({ language }) => languages.includes(language));
    if (ofDialect.length > 0) findings.push(...(await compile(name, ofDialect, options)));
  }
  const places = new Set(files.flatMap(withFolders));
  for (const [page, text] of texts) findings.push(...brokenLinks(page, text, texts, places));
  for (const path of files.filter((name) => /\.(md|[jt]sx?|py|ya?ml)$/.test(name)))
    findings.push(...lostParts(path, texts.get(path) ?? (await readFile(join(root, path), "utf8")), texts));
  return outcomeOf(findings, `${snippets.length} snippets, ${texts.size} pages`);
}

function unknownSettings(page: string, text: string): string[] {
  return text
    .split("\n")
    .flatMap((line, index) =>
      [...line.matchAll(/\bTROUPE(?:_[A-Z]+)+(?![_A-Z])/g)]
        .filter(([name]) => !knownVariables.has(name))
        .map(([name]) => `${page}:${index + 1}: there is no setting ${name}`),
    );
}

function jsonObjection({ language, code, line }: Snippet, page: string): string[] {
  if (language !== "json") return [];
  try {
    JSON.parse(code);
    return [];
  } catch (error) {
    return [
      `${page}:${line}: this JSON does not parse: ${error instanceof Error ? error.message : String(error)}`,
    ];
  }
}

/**
 * Type-checks snippets as files of this repository, so that `troupe/client` is the one a user would get. Each file is
 * padded to its place in the page, so the compiler's line numbers are the page's. Errors in the sources are left to
 * another check.
 */
async function compile(
  dialect: string,
  snippets: readonly (Snippet & { page: string })[],
  options: object,
): Promise<string[]> {
  const folder = `${workFolder}/${dialect}`;
  await rm(join(root, folder), { recursive: true, force: true });
  await mkdir(join(root, folder), { recursive: true });
  const pageOfFile = new Map<string, string>();
  for (const { page, language, line, code } of snippets) {
    const path = `${folder}/${page.replaceAll("/", "-")}-${line}.${language}`;
    pageOfFile.set(path, page);
    await writeFile(join(root, path), "\n".repeat(line - 1) + code);
  }
  const configuration = {
    extends: "../../../tsconfig.json",
    compilerOptions: {
      lib: ["es2024", "esnext.disposable", "esnext.array", "dom", "dom.iterable"],
      types: ["node", "react"],
      jsx: "react-jsx",
      moduleDetection: "force",
      // A snippet shows a start: it may declare things that it does not use.
      noUnusedLocals: false,
      noUnusedParameters: false,
      ...options,
    },
    include: ["./*"],
    exclude: [],
  };
  await writeFile(join(root, folder, "tsconfig.json"), JSON.stringify(configuration));
  const { ok, output } = await runCommand("node_modules/typescript/bin/tsc", [
    "-p",
    folder,
    "--pretty",
    "false",
  ]);
  if (ok) return [];
  return output.split("\n").flatMap((line) => {
    const path = /^(?<path>[^(\s]+)\(/.exec(line)?.groups?.path ?? "";
    if (path.startsWith("src/") || line.startsWith(" ")) return [];
    return [line.replace(path, pageOfFile.get(path) ?? path)];
  });
}

function lostParts(path: string, text: string, texts: ReadonlyMap<string, string>): string[] {
  return readNamedParts(text).flatMap(({ page, title, line }) => {
    const [, named] = [...texts].find(([known]) => known === page || posix.basename(known) === page) ?? [];
    if (named !== undefined && readAnchors(named).has(slugOf(title))) return [];
    return [`${path}:${line}: ${page} has no part "${title}"`];
  });
}

/** A file and every folder on the way to it: the targets that a link may have. Untracked files on this disk do not count. */
function withFolders(path: string): string[] {
  const parts = path.split("/");
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
}

function brokenLinks(
  page: string,
  text: string,
  texts: ReadonlyMap<string, string>,
  places: ReadonlySet<string>,
): string[] {
  return readLinks(text).flatMap(({ target, line }) => {
    const [path = "", anchor] = decodeURI(target).split("#");
    const file = path === "" ? page : posix.join(posix.dirname(page), path).replace(/\/$/, "");
    if (file !== "." && !places.has(file)) return [`${page}:${line}: the link ${target} leads nowhere`];
    const linked = texts.get(file);
    if (anchor === undefined || linked === undefined || readAnchors(linked).has(anchor)) return [];
    return [`${page}:${line}: ${file} has no heading #${anchor}`];
  });
}

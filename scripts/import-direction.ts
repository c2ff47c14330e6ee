import { posix } from "node:path";
import { type ImportStatement, readImports } from "./read-imports.ts";

/** A source file: its path from the root of the repository, with forward slashes, and its contents. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

interface Layer {
  /** Other layers that it may import. It may always import its own. */
  readonly imports: readonly string[] | "every";
  /** Layers from which it may import types only. */
  readonly importsTypes?: readonly string[];
  /** Packages from the registry that it may import. */
  readonly packages: readonly string[] | "every";
  /** Whether it may use Node's own modules. */
  readonly node: boolean;
}

const everything: Layer = { imports: "every", packages: "every", node: true };

/**
 * Which layer under `src` may import which. A layer is a folder there; `compose` and the two files beside the folders may
 * import everything. The core (protocol, ports, chat, server) and the code for browsers know neither Node nor a vendor.
 */
const layers: Readonly<Record<string, Layer>> = {
  protocol: { imports: [], packages: ["zod"], node: false },
  ports: { imports: ["protocol"], packages: ["zod"], node: false },
  chat: { imports: ["ports", "protocol"], packages: [], node: false },
  server: { imports: ["chat", "ports", "protocol"], packages: [], node: false },
  doors: { imports: ["server", "ports", "protocol"], importsTypes: ["chat"], packages: ["zod"], node: true },
  adapters: { imports: ["ports", "protocol"], packages: "every", node: true },
  client: { imports: ["protocol"], packages: [], node: false },
  react: { imports: ["client"], packages: ["react"], node: false },
  page: { imports: ["client", "protocol"], packages: [], node: false },
  compose: everything,
  "index.ts": everything,
  "cli.ts": everything,
};

/** Doors that the named other doors may import. Otherwise a door does not import another. */
const sharedDoors: Readonly<Record<string, readonly string[]>> = { identity: ["http", "websocket"] };

/** Packages that only the files of one folder may import. */
const homeOf: Readonly<Record<string, string>> = {
  ajv: "src/adapters/ajv/",
  hono: "src/doors/http/",
  "@hono/node-server": "src/doors/http/",
  "@opentelemetry/api": "src/adapters/opentelemetry/",
  "@opentelemetry/exporter-trace-otlp-http": "src/adapters/opentelemetry/",
  "@opentelemetry/resources": "src/adapters/opentelemetry/",
  "@opentelemetry/sdk-trace": "src/adapters/opentelemetry/",
  ioredis: "src/adapters/postgres/",
  pg: "src/adapters/postgres/",
  "prom-client": "src/adapters/prometheus/",
};

/** Folders under `src/adapters` that the named other folders may import. Otherwise adapters do not import one another. */
const sharedAdapters: Readonly<Record<string, readonly string[]>> = {
  "builtin-personas": ["demo"],
  // Chat Completions are another API of the same SDK: its client, its errors and the advice about them.
  openai: ["chat-completions"],
  // The meaning of rows, and everything that both databases do in the same way.
  database: ["postgres", "sqlite"],
  system: ["memory", "postgres", "upstream", "ws"],
  // The logs in memory and in databases follow in the same way, and events are sent between processes as they are stored.
  "turn-log": ["cluster", "database", "memory", "postgres", "sqlite"],
  // The reader of every vendor's streams. It imports no vendor's folder, because none of them is shared with it.
  upstream: ["anthropic", "chat-completions", "gemini", "openai"],
};

/**
 * Every import that runs against the direction, as `path:line: fault`. `selfReferences` gives the file behind each name
 * that the package exports (`troupe/client` -> `src/client/index.ts`).
 */
export function findForbiddenImports(
  files: readonly SourceFile[],
  selfReferences: ReadonlyMap<string, string>,
): string[] {
  return files.flatMap((file) => {
    if (!file.path.startsWith("src/")) return [];
    const from = layerOf(file.path);
    const layer = layers[from];
    if (layer === undefined)
      return [`${file.path}:1: src/${from} is not a layer that scripts/import-direction.ts knows`];
    return readImports(file.text, file.path).flatMap((statement) => {
      const target = resolveImport(file.path, statement.specifier, selfReferences);
      const reason =
        target === undefined
          ? packageObjection(file.path, layer, statement)
          : objection(file.path, target, statement);
      return reason === undefined ? [] : [`${file.path}:${statement.line}: ${from} ${reason}`];
    });
  });
}

/** Every ring of files that import one another, each once: the paths along it, with the first one repeated at the end. */
export function findCycles(
  files: readonly SourceFile[],
  selfReferences: ReadonlyMap<string, string>,
): string[][] {
  const targets = new Map(
    files.map((file) => [
      file.path,
      readImports(file.text, file.path).flatMap(
        ({ specifier }) => resolveImport(file.path, specifier, selfReferences) ?? [],
      ),
    ]),
  );
  const cycles: string[][] = [];
  const finished = new Set<string>();
  const trail: string[] = [];
  const visit = (path: string): void => {
    const start = trail.indexOf(path);
    if (start >= 0) cycles.push([...trail.slice(start), path]);
    if (start >= 0 || finished.has(path)) return;
    trail.push(path);
    for (const target of targets.get(path) ?? []) visit(target);
    trail.pop();
    finished.add(path);
  };
  for (const path of targets.keys()) visit(path);
  return cycles;
}

/** The path from the root that an import leads to; `undefined` for a package or a module of Node. */
function resolveImport(
  importer: string,
  specifier: string,
  selfReferences: ReadonlyMap<string, string>,
): string | undefined {
  if (!specifier.startsWith(".")) return selfReferences.get(specifier);
  return posix.normalize(posix.join(posix.dirname(importer), specifier));
}

/** The folder under `src`, or the file's own name if it is in `src` itself. */
function layerOf(path: string): string {
  return path.split("/")[1] ?? path;
}

function packageObjection(
  importer: string,
  layer: Layer,
  { specifier }: ImportStatement,
): string | undefined {
  if (specifier.startsWith("node:")) return layer.node ? undefined : `may not use Node's ${specifier}`;
  const parts = specifier.split("/");
  const name = parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
  const home = homeOf[name];
  if (home !== undefined && importer.startsWith(home)) return undefined;
  if (home !== undefined) return `may not use the package ${name}, which only ${home} uses`;
  const allowed = layer.packages === "every" || layer.packages.includes(name);
  return allowed ? undefined : `may not use the package ${name}`;
}

function objection(importer: string, target: string, { typeOnly }: ImportStatement): string | undefined {
  const from = layerOf(importer);
  const layer = layers[from] ?? everything;
  if (layer.imports === "every" && !/^(tests|scripts|bench)\//.test(target)) return undefined;
  if (!target.startsWith("src/")) return `may not import ${target}, which lies outside src`;
  const to = layerOf(target);
  if (from === to) {
    return neighbourObjection(from, importer, target);
  }
  if (layer.imports.includes(to)) return undefined;
  if (layer.importsTypes?.includes(to)) {
    return typeOnly ? undefined : `may import types only from ${target} (write \`import type\`)`;
  }
  return `may not import ${target}`;
}

/** The objection to an import within one layer: adapters do not know one another, and neither do doors. */
function neighbourObjection(layer: string, importer: string, target: string): string | undefined {
  const shared = { adapters: sharedAdapters, doors: sharedDoors }[layer];
  const [own, other] = [folderIn(importer), folderIn(target)];
  if (shared === undefined || own === other || shared[other]?.includes(own)) return undefined;
  return `may not import ${target}: one ${layer.slice(0, -1)} does not know another`;
}

/** A file's folder under its layer. The files beside these folders count as one folder. */
function folderIn(path: string): string {
  const [, , folder = "", ...rest] = path.split("/");
  return rest.length === 0 ? "" : folder;
}

import { execFileSync } from "node:child_process";
import { chmod, copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";
import { root } from "./repository.ts";

const folder = "artifacts/binary";
/** The fuse by which Node recognizes an executable with a program in it (Node's documentation, "Single executable applications"). */
const fuse = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";
/** As `bin/garbage-collection.js` has it, which an executable cannot restart itself for. */
const execArgv = ["--max-semi-space-size=8"];
/** Optional parts of packages, which run without them. */
const external = ["pg-native", "bufferutil", "utf-8-validate"];

/**
 * `npm run build:binary`: makes `artifacts/binary/troupe`, one file with Node, the server and its page in it, for the system that it is
 * built on. It needs nothing but a folder for its data.
 */
export async function main(): Promise<void> {
  const at = (name: string) => join(root, folder, name);
  await rm(join(root, folder), { recursive: true, force: true });
  await mkdir(join(root, folder), { recursive: true });
  const threads = {
    database: await bundle("src/adapters/sqlite/sqlite-worker.ts", []),
    output: await bundle("src/adapters/ajv/output-worker.ts", []),
  };
  const page = await readFile(join(root, "backend/websocket_test.html"), "utf8");
  await writeFile(at("troupe.cjs"), await bundle("scripts/binary/entry.ts", [embed(threads, page)]));
  const configuration = {
    main: at("troupe.cjs"),
    output: at("troupe.blob"),
    disableExperimentalSEAWarning: true,
    execArgv,
  };
  await writeFile(at("sea.json"), JSON.stringify(configuration));
  run(["--experimental-sea-config", at("sea.json")]);
  await copyFile(process.execPath, at("troupe"));
  await chmod(at("troupe"), 0o755);
  const postject = join(root, "node_modules/postject/dist/cli.js");
  const blob = ["NODE_SEA_BLOB", at("troupe.blob"), "--sentinel-fuse", fuse];
  run([postject, at("troupe"), ...blob]);
  console.log(`${folder}/troupe`);
}

/** Runs this Node. Throws with its output if it fails. */
function run(args: readonly string[]): void {
  execFileSync(process.execPath, args, { stdio: "pipe" });
}

/** Bundles a program with everything that it imports, as CommonJS: Node 24 runs no other form from an executable. */
async function bundle(entry: string, plugins: Plugin[]): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: "node",
    format: "cjs",
    target: "node24",
    conditions: ["troupe-source"],
    external,
    plugins,
    legalComments: "none",
    logLevel: "error",
  });
  const [file] = outputFiles;
  if (file === undefined) throw new Error(`${entry}: the bundler gave nothing`);
  return file.text;
}

/** Puts the threads and the page in place of the modules that read their files. */
function embed(threads: { database: string; output: string }, page: string): Plugin {
  const modules: readonly (readonly [filter: RegExp, contents: string])[] = [
    [
      /adapters[\\/]sqlite[\\/]start-thread\.ts$/,
      `import { Worker } from "node:worker_threads";
       const code = ${JSON.stringify(threads.database)};
       export const startThread = (workerData) => new Worker(code, { eval: true, workerData });`,
    ],
    [
      /adapters[\\/]ajv[\\/]start-output-thread\.ts$/,
      `import { Worker } from "node:worker_threads";
       const code = ${JSON.stringify(threads.output)};
       export const startOutputThread = (options) => new Worker(code, { ...options, eval: true });`,
    ],
    [
      /doors[\\/]http[\\/]page-file\.ts$/,
      `const page = ${JSON.stringify(page)};
       export const readPageFile = async () => page;`,
    ],
  ];
  return {
    name: "embed",
    setup({ onLoad }) {
      for (const [filter, contents] of modules) onLoad({ filter }, () => ({ contents, loader: "js" }));
    },
  };
}

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, describe, it } from "node:test";
import { promisify } from "node:util";
import { root } from "../../scripts/repository.ts";
import { connect } from "../support/wire-client.ts";

const run = promisify(execFile);
const folder = await mkdtemp(path.join(tmpdir(), "troupe-packed-"));
after(() => rm(folder, { recursive: true }));

const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];

/** Runs a Node program with the given Node, which is also the first on the path. */
function onNode(node: string, cwd: string, [program = "", ...args]: readonly string[]) {
  const PATH = `${path.dirname(node)}${path.delimiter}${process.env.PATH}`;
  return run(node, [program, ...args], { cwd, env: { ...process.env, PATH }, maxBuffer: 2 ** 26 });
}

function npm(cwd: string, ...args: readonly string[]) {
  return run("npm", args, { cwd, maxBuffer: 2 ** 26 });
}

/** Installs packages of the registry in their own folder, and returns its path. */
async function fetched(name: string, ...packages: readonly string[]): Promise<string> {
  const cwd = path.join(folder, name);
  await mkdir(cwd);
  await writeFile(path.join(cwd, "package.json"), "{}");
  await npm(cwd, "install", ...quiet, ...packages);
  return path.join(cwd, "node_modules");
}

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string; readonly mode: number }[];
}

/** Packs a copy, because packing changes package.json for a moment. */
async function pack(): Promise<Packed> {
  const copy = path.join(folder, "copy");
  const parts = ["package.json", "README.md", "PROTOCOL.md", "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE"];
  for (const part of [
    ...parts,
    "bin",
    "backend",
    "docs",
    "src",
    "scripts",
    "tsconfig.json",
    "tsconfig.build.json",
  ])
    await cp(path.join(root, part), path.join(copy, part), { recursive: true });
  await symlink(path.join(root, "node_modules"), path.join(copy, "node_modules"), "junction");
  const { stdout } = await npm(copy, "pack", "--json", "--silent", "--pack-destination", folder);
  // The output of the build comes first.
  const [packed] = JSON.parse(stdout.slice(stdout.search(/^\[/m))) as Packed[];
  assert.ok(packed !== undefined);
  return packed;
}

const isOnline = await fetched("tools", "npm@11.19.1", "pnpm@10.34.8", "yarn@1.22.22", "node@20.20.2").then(
  () => true,
  (error: unknown) => {
    if (process.env.CI === "true") throw error;
    return false;
  },
);
const skip = !isOnline && "the registry of npm cannot be reached";
const tools = path.join(folder, "tools", "node_modules");
const installers: Record<string, readonly string[]> = {
  npm: [path.join(tools, "npm", "bin", "npm-cli.js"), "install", ...quiet],
  pnpm: [path.join(tools, "pnpm", "bin", "pnpm.cjs"), "add", "--store-dir", path.join(folder, "store")],
  yarn: [path.join(tools, "yarn", "bin", "yarn.js"), "add", "--non-interactive", "--no-lockfile"],
};
const nodes = { 20: path.join(tools, "node", "bin", "node"), 24: process.execPath };

/** Creates a folder with an application that has installed the package. */
async function install(installer: string, version: 20 | 24, packed: Packed): Promise<string> {
  const cwd = path.join(folder, `${installer}-${version}`);
  await mkdir(cwd);
  await writeFile(
    path.join(cwd, "package.json"),
    '{ "name": "application", "version": "1.0.0", "private": true }',
  );
  const command = installers[installer] ?? [];
  await onNode(nodes[version], cwd, [...command, path.join(folder, packed.filename)]);
  return cwd;
}

function start(cwd: string, version: 20 | 24) {
  const PATH = `${path.dirname(nodes[version])}${path.delimiter}${process.env.PATH}`;
  const env = { PATH, TROUPE_DATA: path.join(cwd, "data"), TROUPE_LOCAL_PROVIDERS: "" };
  const child = spawn(path.join(cwd, "node_modules", ".bin", "troupe"), ["--port", "0"], { cwd, env });
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].setEncoding("utf8").on("data", (text: string) => {
      said[name] += text;
    });
  return { child, said, ended: once(child, "close").then(([code]) => code as number | null) };
}

describe("the packed package", {
  skip: skip || (process.platform === "win32" && "its programs are of POSIX"),
}, async () => {
  const packed = skip ? undefined : await pack();

  it("has a program that may be run, and speaks of no clone", async () => {
    assert.ok(packed !== undefined);
    const program = packed.files.find((file) => file.path === "bin/troupe.js");
    assert.equal((program?.mode ?? 0) & 0o111, 0o111);
    const cwd = await install("npm", 24, packed);
    const place = path.join(cwd, "node_modules", "troupe");
    for (const file of await readdir(place, { recursive: true, withFileTypes: true })) {
      // The README is the repository's and starts with a clone.
      if (!file.isFile() || file.name === "README.md") continue;
      const text = await readFile(path.join(file.parentPath, file.name), "utf8");
      assert.doesNotMatch(text, /npm ci\b/, file.name);
    }
  });

  for (const installer of ["npm", "pnpm", "yarn"]) {
    it(`${installer} installs it on Node 24, and it starts, serves and stops`, async () => {
      assert.ok(packed !== undefined);
      const cwd = installer === "npm" ? path.join(folder, "npm-24") : await install(installer, 24, packed);
      const { child, said, ended } = start(cwd, 24);
      while (!said.stdout.includes("provider"))
        await Promise.race([once(child.stdout, "data"), ended.then(() => assert.fail(said.stderr))]);
      const port = /ws:\/\/\S+:(\d+)\/ws/.exec(said.stdout)?.[1];
      const page = await fetch(`http://127.0.0.1:${port}/`);
      assert.match(await page.text(), /<!doctype html>/);
      const client = await connect(`ws://127.0.0.1:${port}/ws`);
      client.send({ type: "openai_chat", data: { input_text: "Hi", pacing: { mode: "raw" } } });
      await client.next((message) => message.type === "response");
      client.close();
      child.kill("SIGTERM");
      assert.equal(await ended, 0, said.stderr);
    });

    it(`${installer} installs it on Node 20: the client works and the server names the missing part`, async () => {
      assert.ok(packed !== undefined);
      const cwd = await install(installer, 20, packed);
      const { said, ended } = start(cwd, 20);
      assert.equal(await ended, 1);
      assert.match(
        said.stderr,
        /^troupe: needs Node 24\.15 or newer, this is 20\.20\.2 \(see https:\/\/nodejs\.org, or .*\)\n$/,
      );
      assert.equal(said.stdout, "");
      const script =
        'import("troupe/client").then((client) => console.log(typeof client.createTroupeClient))';
      const { stdout } = await onNode(nodes[20], cwd, ["-e", script]);
      assert.equal(stdout, "function\n");
    });
  }

  it("without its optional packages the server names the missing one", async () => {
    assert.ok(packed !== undefined);
    const cwd = path.join(folder, "npm-24");
    await rm(path.join(cwd, "node_modules", "openai"), { recursive: true });
    const { said, ended } = start(cwd, 24);
    assert.equal(await ended, 1);
    assert.equal(
      said.stderr,
      "troupe: the package openai is not installed; install again, with the optional packages\n",
    );
  });
});

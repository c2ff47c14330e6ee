import assert from "node:assert/strict";
import { test } from "node:test";
import { findUnsharedExports } from "../../scripts/unshared-exports.ts";

const own = `
export interface Options { readonly a: number }
export async function make(options: Options): Promise<void> {}
export abstract class Base {}
export function* numbers() {}
export type { Other } from "./other.ts";
// export const spoken = 1;
`;

test("an exported name that no other file mentions is found, in every form of a declaration", () => {
  const sources = [
    { path: "src/own.ts", text: own },
    { path: "tests/own.test.ts", text: 'import { make } from "../src/own.ts"; make("Base");' },
  ];
  assert.deepEqual(findUnsharedExports(sources, new Set()), [
    "src/own.ts:2: no other file mentions Options: do not export it",
    "src/own.ts:4: no other file mentions Base: do not export it",
    "src/own.ts:5: no other file mentions numbers: do not export it",
  ]);
});

test("files for users of the package and files beside the sources may export names for others", () => {
  const text = "export const one = 1;";
  const sources = ["src/index.ts", "src/protocol/errors.ts", "scripts/one.ts"].map((path, index) => ({
    path,
    text: text.replace("one", `one${index}`),
  }));
  assert.deepEqual(findUnsharedExports(sources, new Set(["src/protocol/errors.ts"])), []);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { apisOf, modelsOf, noteOf } from "../../src/page/model-choices.ts";

const house = {
  api: "house",
  is_default: true,
  default_model: "h-1",
  models: [{ id: "h-1" }, { id: "h-2" }],
};
const strict = { api: "strict", is_default: false, problem: "refuses the key (status 401)", models: [] };
const chat = { api: "chat", is_default: false, default_model: "c-1", models: [{ id: "c-1" }] };
const endpoints = [house, strict, chat];

test("the page suggests the models of the chosen endpoint, and of all without a choice", () => {
  assert.deepEqual(modelsOf(endpoints, "chat"), [{ value: "c-1", label: "chat" }]);
  assert.deepEqual(
    modelsOf(endpoints, "").map(({ value, label }) => `${label} ${value}`),
    ["house h-1", "house h-2", "chat c-1"],
  );
  assert.deepEqual(apisOf(endpoints).at(0), { value: "house", label: "h-1" });
});

test("the page says what answers without a choice, and which endpoint has a problem", () => {
  assert.equal(
    noteOf(endpoints),
    "Without a choice, house answers with h-1. strict refuses the key (status 401).",
  );
  assert.equal(noteOf([]), "");
});

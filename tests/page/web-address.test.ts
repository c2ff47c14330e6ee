import assert from "node:assert/strict";
import { it } from "node:test";
import { webAddress } from "../../src/page/web-address.ts";

it("only addresses of the web become links", () => {
  assert.equal(webAddress("https://a.example/x?q=1#y"), "https://a.example/x?q=1#y");
  assert.equal(webAddress(" http://a.example"), "http://a.example/");
  for (const other of [
    "javascript:alert(1)",
    " JavaScript:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "blob:https://a.example/1",
    "file:///etc/passwd",
    "mailto:a@a.example",
    "//a.example",
    "a.example",
    "",
  ])
    assert.equal(webAddress(other), undefined, other);
});

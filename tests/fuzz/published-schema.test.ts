import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { z } from "zod";
import { clientMessages } from "../../src/protocol/client-messages.ts";
import { decodeClientMessage } from "../../src/protocol/decode.ts";
import { anyFrame } from "./any-frame.ts";
import { fieldCases, fieldFrame } from "./field-frames.ts";
import type { Frame } from "./frame.ts";
import { listedFrames } from "./listed-frames.ts";

const ajv = new Ajv2020();
const schemas = new Map(
  Object.entries(clientMessages).map(([type, schema]) => [
    type,
    ajv.compile(z.toJSONSchema(schema, { io: "input" })),
  ]),
);

/**
 * JSON Schema cannot express a limit on the whole size, or that a key which would change an object's prototype is
 * dropped.
 */
const beyondSchema = /nested too deeply|too many|"__proto__"/;

/** Compares the decoder with the published schema of the message's type, as another implementation reads it. */
function compare({ bytes }: Frame): boolean {
  const text = Buffer.from(bytes).toString("utf8");
  const decoded = decodeClientMessage(text);
  const code = decoded.ok ? undefined : decoded.error.code;
  if (code !== undefined && code !== "invalid_message") return false;
  const detail = decoded.ok ? "" : decoded.error.detail;
  // A frame beyond the limits is refused before it is parsed as JSON.
  if (beyondSchema.test(`${detail}${text}`)) return false;
  const message: unknown = JSON.parse(text);
  if (typeof message !== "object" || message === null || !("type" in message)) return false;
  const fits = schemas.get(String(message.type));
  if (fits === undefined) return false;
  assert.equal(fits(message), decoded.ok, `${text.slice(0, 500)}: ${detail}`);
  return true;
}

describe("the decoder and the published schema", () => {
  it("agree on every field with every hostile value", () => {
    const frames = [...listedFrames(), ...fieldCases().map((one) => fieldFrame(one.type, [one]))];
    assert.ok(frames.filter(compare).length > frames.length * 0.8);
  });

  it("agree on random messages", () => {
    let compared = 0;
    const property = fc.property(anyFrame(), (frame) => {
      if (compare(frame)) compared += 1;
    });
    fc.assert(property, { seed: 20_261_122, numRuns: 3_000 });
    assert.ok(compared > 1_000);
  });
});

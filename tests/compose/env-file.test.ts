import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import { readEnvFile } from "../../src/compose/env-file.ts";

async function variablesOf(content: string | Buffer) {
  const folder = await mkdtemp(path.join(tmpdir(), "troupe-env-"));
  try {
    await writeFile(path.join(folder, ".env"), content);
    return await readEnvFile(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe("the file .env", () => {
  const forms: readonly (readonly [string, string | Buffer])[] = [
    ["plain", "# mine\nPORT=1\nTROUPE_MODEL=phi4\n"],
    ["with export and quotes", 'export PORT=1\nTROUPE_MODEL="phi4" # the small one\n'],
    ["of Windows: line ends", "PORT=1\r\nTROUPE_MODEL='phi4'\r\n"],
    ["of Windows: a byte order mark", "\ufeffPORT=1\nTROUPE_MODEL=phi4"],
    ["of PowerShell: UTF-16", Buffer.from("\ufeffPORT=1\r\nTROUPE_MODEL=phi4\r\n", "utf16le")],
  ];
  for (const [name, content] of forms) {
    it(`is read ${name}`, async () => {
      assert.deepEqual(await variablesOf(content), { PORT: "1", TROUPE_MODEL: "phi4" });
    });
  }

  it("may be absent, or a folder", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "troupe-env-"));
    assert.deepEqual(await readEnvFile(folder), {});
    await mkdir(path.join(folder, ".env"));
    assert.deepEqual(await readEnvFile(folder), {});
    await rm(folder, { recursive: true });
  });

  it("holds headers, a line each", async () => {
    const { OPENAI_CUSTOM_HEADERS } = await variablesOf('OPENAI_CUSTOM_HEADERS="A: b\\nC: d"\n');
    assert.equal(OPENAI_CUSTOM_HEADERS, "A: b\nC: d");
  });

  it("that cannot be read ends the start by its name", async () => {
    const file = path.join(await mkdtemp(path.join(tmpdir(), "troupe-env-")), "file");
    await writeFile(file, "");
    await assert.rejects(readEnvFile(file), { name: "SettingError", message: /^\.env: it cannot be read \(ENOTDIR\)/ });
    await rm(path.dirname(file), { recursive: true });
  });
});

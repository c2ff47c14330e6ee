import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import { readEnvFile } from "../../src/compose/env-file.ts";

async function read(content: string | Buffer) {
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
      assert.deepEqual((await read(content)).variables, { PORT: "1", TROUPE_MODEL: "phi4" });
    });
  }

  it("may be absent, or a folder", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "troupe-env-"));
    assert.deepEqual(await readEnvFile(folder), { variables: {}, notes: [] });
    await mkdir(path.join(folder, ".env"));
    assert.deepEqual(await readEnvFile(folder), { variables: {}, notes: [] });
    await rm(folder, { recursive: true });
  });

  it("holds headers, a line each", async () => {
    const { variables } = await read('OPENAI_CUSTOM_HEADERS="A: b\\nC: d"\n');
    assert.equal(variables.OPENAI_CUSTOM_HEADERS, "A: b\nC: d");
  });

  it("reports lines that name a setting and set nothing", async () => {
    const lines = [
      "PORT: 80",
      "HOST localhost",
      "export TROUPE_MODEL",
      "OPENAI_API_KEY",
      "DATABASE_URL: x",
      "LOG_LEVEL = debug",
      "# PORT 80",
    ];
    assert.deepEqual(await read(lines.join("\n")), {
      variables: { LOG_LEVEL: "debug" },
      notes: ["PORT", "HOST", "TROUPE_MODEL", "OPENAI_API_KEY"].map(
        (name, at) => `.env: line ${at + 1} names ${name} and sets nothing; write ${name}=value`,
      ),
    });
  });

  it("that cannot be read ends the start by its name", async () => {
    const file = path.join(await mkdtemp(path.join(tmpdir(), "troupe-env-")), "file");
    await writeFile(file, "");
    await assert.rejects(readEnvFile(file), {
      name: "SettingError",
      message: /^\.env: it cannot be read \(ENOTDIR\)/,
    });
    await rm(path.dirname(file), { recursive: true });
  });
});

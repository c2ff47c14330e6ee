import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { apiQuestion, type Side } from "./side.ts";

const python = "/usr/bin/python3";
const packages = ["fastapi", "uvicorn", "websockets", "httpx"];

/** A Python service as such services are usually built. */
export const fastapi: Side = {
  name: "fastapi",
  about: `${versions() ?? packages.join(", ")}, one frame per token`,
  target: { wire: "websocket", path: "/", headers: {}, question: apiQuestion, rhythmMs: 0 },
  missing: () => (versions() === undefined ? `${python} lacks one of ${packages.join(", ")}` : undefined),
  program: async ({ upstreamUrl, certificateFile }) => ({
    command: python,
    args: [fileURLToPath(new URL("./programs/fastapi_relay.py", import.meta.url)), upstreamUrl],
    environment: { SSL_CERT_FILE: certificateFile },
    readyLine: /running on http:\/\/127\.0\.0\.1:(\d+)/,
  }),
};

function versions(): string | undefined {
  const program = `from importlib.metadata import version\nimport ${packages.join(", ")}\nprint(", ".join(f"{name} {version(name)}" for name in ${JSON.stringify(packages)}))`;
  const { status, stdout } = spawnSync(python, ["-c", program], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}

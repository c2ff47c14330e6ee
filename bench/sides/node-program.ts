import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { apiQuestion, node, type Side } from "./side.ts";

interface NodeProgram {
  readonly name: string;
  readonly about: string;
  /** The server's file in `programs`. It gets the upstream's address as its argument and prints `serves <port>`. */
  readonly file: string;
  readonly target?: Partial<Side["target"]>;
}

/** A side that is a small server of this folder. It is asked over a plain WebSocket unless `target` says otherwise. */
export function nodeProgram({ name, about, file, target }: NodeProgram): Side {
  return {
    name,
    about,
    target: { wire: "websocket", path: "/", headers: {}, question: apiQuestion, rhythmMs: 0, ...target },
    program: async ({ upstreamUrl, certificateFile, nodeFlags }) => ({
      command: node.command,
      args: [
        ...node.flags,
        ...nodeFlags,
        fileURLToPath(new URL(`./programs/${file}`, import.meta.url)),
        upstreamUrl,
      ],
      environment: { NODE_EXTRA_CA_CERTS: certificateFile },
      readyLine: /^serves (\d+)/,
    }),
  };
}

/** A package and its installed version. */
export function packageVersion(name: string): string {
  const file = new URL(`../../node_modules/${name}/package.json`, import.meta.url);
  const { version }: { version: string } = JSON.parse(readFileSync(file, "utf8"));
  return `${name} ${version}`;
}

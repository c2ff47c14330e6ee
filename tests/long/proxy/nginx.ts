import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { readSnippets } from "../../../scripts/snippets.ts";
import { freePort } from "../../support/free-port.ts";
import { makeSelfSignedCertificate } from "../../support/self-signed-certificate.ts";

const nginx = ["/usr/sbin/nginx", "/usr/bin/nginx"].find((file) => existsSync(file));
const openssl = ["/usr/bin/openssl"].find((file) => existsSync(file));

/** On CI both must be there. Elsewhere the tests are skipped without them. */
export const withNginx = {
  skip: (nginx === undefined || openssl === undefined) && process.env.CI !== "true" && "no nginx or openssl",
};

/** The proxy's host name, and the folder in which it serves. */
export const proxyName = "chat.example.com";

export interface NginxProxy extends AsyncDisposable {
  readonly port: number;
  /** The page's and the socket's addresses in a browser. */
  readonly pageUrl: string;
  readonly socketUrl: string;
  /** The certificate of the proxy, which is its own authority. */
  readonly ca: string;
  readonly caFile: string;
}

/** Differences from docs/deploy.md, which has TLS and serves in `/troupe/`. */
export interface NginxDifference {
  readonly tls?: boolean;
  readonly folder?: string;
}

/** Starts nginx as a proxy of a server, as docs/deploy.md configures it. */
export async function startNginx(
  upstreamUrl: string,
  { tls = true, folder: servedIn = "/troupe/" }: NginxDifference = {},
): Promise<NginxProxy> {
  assert.ok(nginx !== undefined && openssl !== undefined, "no nginx or openssl");
  const folder = await mkdtemp(path.join(tmpdir(), "troupe-nginx-"));
  const file = (name: string) => path.join(folder, name);
  const otherNames = [`DNS:${proxyName}`, "DNS:localhost", "IP:127.0.0.1"];
  const { keyFile, certificateFile } = makeSelfSignedCertificate({
    folder,
    commonName: proxyName,
    otherNames,
  });

  const port = await freePort();
  const documented = (await readSnippets("docs/deploy.md")).find(({ name }) => name === "nginx")?.code ?? "";
  const replace = (text: string, from: string, to: string) => {
    assert.ok(text.includes(from), from);
    return text.replace(from, to);
  };
  const server = [
    ["listen 443 ssl;", `listen 127.0.0.1:${port} ssl;`],
    ["/etc/ssl/chat.example.com.pem", certificateFile],
    ["/etc/ssl/chat.example.com.key", keyFile],
    ["http://127.0.0.1:8000/", `${upstreamUrl.replace("localhost", "127.0.0.1")}/`],
    ["location /troupe/ {", `location ${servedIn} {`],
    ...(tls ? [] : [[" ssl;", ";"]]),
  ].reduce((text, [from = "", to = ""]) => replace(text, from, to), documented);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (kind) => `${kind}_temp_path ${file(kind)};`,
  );
  await writeFile(
    file("nginx.conf"),
    `daemon off;\nworker_processes 1;\npid ${file("nginx.pid")};\nerror_log stderr error;\nevents {}\nhttp {\naccess_log off;\n${temporary.join("\n")}\n${server}}\n`,
  );
  const child = spawn(nginx, ["-e", "stderr", "-p", folder, "-c", file("nginx.conf")], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const ended = once(child, "exit");
  while (!existsSync(file("nginx.pid"))) {
    assert.equal(child.exitCode, null, errors);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return {
    ...{ port, caFile: certificateFile },
    pageUrl: `${tls ? "https" : "http"}://${proxyName}:${port}${servedIn}`,
    socketUrl: `${tls ? "wss" : "ws"}://${proxyName}:${port}${servedIn}ws`,
    ca: await readFile(certificateFile, "utf8"),
    async [Symbol.asyncDispose]() {
      // Stops it in order, so that its worker ends as well.
      child.kill("SIGTERM");
      await ended;
      await rm(folder, { recursive: true });
    },
  };
}

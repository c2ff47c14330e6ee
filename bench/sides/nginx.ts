import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { freePort } from "../../tests/support/free-port.ts";
import { apiQuestion, type Side } from "./side.ts";

/** The reverse proxy that passes bytes on unread: the lowest possible cost of a relay. */
export const nginx: Side = {
  name: "nginx",
  about: `nginx ${versionOf() ?? ""}, one worker, passes bytes on unread`,
  target: {
    wire: "http",
    path: "/v1/responses",
    headers: { authorization: "Bearer test-key" },
    question: apiQuestion,
    rhythmMs: 0,
  },
  missing: () => (versionOf() === undefined ? "nginx is not installed" : undefined),
  async program({ upstreamUrl, folder, certificateFile }) {
    const port = await freePort();
    const file = path.join(folder, "nginx.conf");
    await mkdir(path.join(folder, "logs"));
    await writeFile(file, configuration(port, new URL(upstreamUrl), certificateFile));
    // nginx prints nothing when it is ready, so the shell prints the line once nginx has tested its configuration.
    return {
      command: "sh",
      args: [
        "-c",
        `nginx -p "$1" -c "$2" -t && echo "serves $3" && exec nginx -p "$1" -c "$2"`,
        "sh",
        folder,
        file,
        String(port),
      ],
      readyLine: /^serves (\d+)/,
    };
  },
};

function configuration(port: number, upstream: URL, certificateFile: string): string {
  return `daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid nginx.pid;
error_log stderr crit;
events { worker_connections 20000; }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  client_header_timeout 600s;
  upstream provider {
    server ${upstream.host};
    keepalive 512;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass ${upstream.protocol}//provider;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 600s;
      proxy_ssl_trusted_certificate ${certificateFile};
      proxy_ssl_verify on;
      proxy_ssl_name localhost;
    }
  }
}
`;
}

function versionOf(): string | undefined {
  const { stderr } = spawnSync("nginx", ["-v"], { encoding: "utf8" });
  return /nginx\/(\S+)/.exec(stderr ?? "")?.[1];
}

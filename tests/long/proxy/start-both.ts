import { startServerProcess } from "../page/server-process.ts";
import { clientFile, startPythonIn } from "../python/python-client.ts";
import { type NginxDifference, type NginxProxy, proxyName, startNginx } from "./nginx.ts";

export const ada = "ada-0123456789abcdef";
export const bob = "bob-0123456789abcdef";
const proxied = { TROUPE_ALLOWED_HOSTS: proxyName, TROUPE_TRUSTED_PROXIES: "127.0.0.1" };
export const keys = { ...proxied, TROUPE_API_KEYS: `ada=${ada},bob=${bob}` };
export const anonymous = { ...proxied, TROUPE_ALLOW_ANONYMOUS: "true" };

/** Starts a server with these variables, and nginx as its proxy. */
export async function startBoth(env: Record<string, string>, difference: NginxDifference = {}) {
  const server = await startServerProcess(env);
  const proxy = await startNginx(server.httpUrl, difference).catch(async (fault) => {
    await server[Symbol.asyncDispose]();
    throw fault;
  });
  return {
    ...{ server, proxy },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

export const runPython = ({ socketUrl, caFile }: NginxProxy, env: Record<string, string> = {}) =>
  startPythonIn(
    { SSL_CERT_FILE: caFile, ...env },
    ...[clientFile, "--url", socketUrl.replace(proxyName, "localhost"), "chat", "Hello", "--pacing", "raw"],
  ).ended;

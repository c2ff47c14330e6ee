import type { IncomingMessage, ServerResponse } from "node:http";

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** Express and Connect store the original address here before they remove their mount point from it. */
interface MountedRequest extends IncomingMessage {
  originalUrl?: string;
}

/** The part of an address before its query. */
export function pathOf(url: string): string {
  return url.split("?", 1)[0] ?? "";
}

/** The folder of the socket's path, in which the HTTP routes are served too: `/troupe` for `/troupe/ws`, empty for `/ws`. */
function mountOf(socketPath: string): string {
  return socketPath.slice(0, socketPath.lastIndexOf("/"));
}

/** The address that the client sent, as far as this process knows. */
export function sentUrl({ url = "", originalUrl = url }: MountedRequest): string {
  return originalUrl;
}

/** Removes the mount point from a request's address unless a framework has done so, and keeps the whole address as frameworks do. */
function takeMount(request: MountedRequest, mount: string): void {
  const { url = "", originalUrl = url } = request;
  if (mount === "" || originalUrl !== url) return;
  const rest = url.slice(mount.length);
  if (!url.startsWith(mount) || !/^($|[/?])/.test(rest)) return;
  request.originalUrl = url;
  request.url = rest.startsWith("/") ? rest : `/${rest}`;
}

/** Wraps a listener so that requests in the folder of the socket's path reach it without that folder in their address. */
export function mounted(socketPath: string, listener: Listener): Listener {
  const mount = mountOf(socketPath);
  return (request, response) => {
    takeMount(request, mount);
    listener(request, response);
  };
}

/**
 * The page's address, for a request for the mount point itself. The page looks for its socket in its own folder, so its address must end
 * with a slash. The address is relative, so it cannot lead to another host.
 */
export function pageAddress(request: MountedRequest): string | undefined {
  const { url = "" } = request;
  const sent = pathOf(sentUrl(request));
  if (sent === pathOf(url) || pathOf(url) !== "/" || sent.endsWith("/")) return undefined;
  return `./${sent.slice(sent.lastIndexOf("/") + 1)}/`;
}

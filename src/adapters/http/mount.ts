import type { IncomingMessage, ServerResponse } from "node:http";

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** Express and Connect keep here what the address was before they took their mount point from it. */
interface MountedRequest extends IncomingMessage {
  originalUrl?: string;
}

/** The part of an address before its query. */
export function pathOf(url: string): string {
  return url.split("?", 1)[0] ?? "";
}

/** The folder of the socket's path, in which the HTTP routes are served as well: `/troupe` for `/troupe/ws`, empty for `/ws`. */
function mountOf(socketPath: string): string {
  return socketPath.slice(0, socketPath.lastIndexOf("/"));
}

/** The address as the client sent it, as far as this process knows. */
export function sentUrl({ url = "", originalUrl = url }: MountedRequest): string {
  return originalUrl;
}

/** Takes the mount point from a request's address, if a framework has not done so, and keeps the whole as frameworks do. */
function takeMount(request: MountedRequest, mount: string): void {
  const { url = "", originalUrl = url } = request;
  if (mount === "" || originalUrl !== url) return;
  const rest = url.slice(mount.length);
  if (!url.startsWith(mount) || !/^($|[/?])/.test(rest)) return;
  request.originalUrl = url;
  request.url = rest.startsWith("/") ? rest : `/${rest}`;
}

/** A listener for requests in the folder of the socket's path as well, which sees them without it. */
export function mounted(socketPath: string, listener: Listener): Listener {
  const mount = mountOf(socketPath);
  return (request, response) => {
    takeMount(request, mount);
    listener(request, response);
  };
}

/**
 * Where the page is, for a request for the mount point itself: it looks for its socket beside itself, and is itself in a folder only if
 * its address ends with a slash. Relative, so that it leads nowhere else.
 */
export function pageAddress(request: MountedRequest): string | undefined {
  const sent = pathOf(sentUrl(request));
  if (sent === pathOf(request.url ?? "") || pathOf(request.url ?? "") !== "/" || sent.endsWith("/"))
    return undefined;
  return `./${sent.slice(sent.lastIndexOf("/") + 1)}/`;
}

/**
 * The socket's path as the browser sees it. The page is in the folder of the socket's path. A proxy may serve both in a further folder
 * that is unknown to the server.
 */
export function socketPath(pagePath: string, path: string): string {
  const folder = pagePath.slice(0, pagePath.lastIndexOf("/") + 1);
  for (let start = 0; start < folder.length; start += 1) {
    const end = folder.slice(start);
    if (end.startsWith("/") && path.startsWith(end)) return folder.slice(0, start) + path;
  }
  return path;
}

/** The address of the models, beside the socket at `url`. */
export function modelsAddress(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  const folder = pathname.slice(0, pathname.lastIndexOf("/") + 1);
  return `${protocol === "wss:" ? "https" : "http"}://${host}${folder}api/models`;
}

/**
 * The path of the socket as the browser sees it: the page lies in the folder of the socket's path, and a proxy may serve both in a
 * further folder that the server does not know of.
 */
export function socketPath(pagePath: string, path: string): string {
  const folder = pagePath.slice(0, pagePath.lastIndexOf("/") + 1);
  for (let start = 0; start < folder.length; start += 1) {
    const end = folder.slice(start);
    if (end.startsWith("/") && path.startsWith(end)) return folder.slice(0, start) + path;
  }
  return path;
}

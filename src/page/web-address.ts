/** The address if it leads to the web; otherwise `undefined`. An address of another kind could run code on a page that links to it. */
export function webAddress(url: string): string | undefined {
  if (!URL.canParse(url)) return undefined;
  const { protocol, href } = new URL(url);
  return protocol === "https:" || protocol === "http:" ? href : undefined;
}

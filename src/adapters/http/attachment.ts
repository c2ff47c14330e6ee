const nameChars = 80;

/**
 * A `content-disposition` that saves a document under its title: plain ASCII for every client, and the title itself for those
 * that know RFC 8187. Neither holds a path, a quote or a control character.
 */
export function attachment(title: string, extension: string): string {
  const plain = title
    .normalize("NFKD")
    .replace(/\p{M}+/gu, "")
    .replace(/[^A-Za-z0-9]+/g, "-")
    .slice(0, nameChars)
    .replace(/^-+|-+$/g, "");
  const full = [...title.replace(/[\p{C}\p{Z}/\\:*?"<>|]+/gu, " ")]
    .slice(0, nameChars)
    .join("")
    .replace(/^[ .]+|[ .]+$/g, "");
  const name = (base: string) => `${base || "conversation"}.${extension}`;
  return `attachment; filename="${name(plain)}"; filename*=UTF-8''${encodeExtended(name(full))}`;
}

/** RFC 8187: what `encodeURIComponent` leaves as it is and the grammar does not. */
function encodeExtended(name: string): string {
  return encodeURIComponent(name).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

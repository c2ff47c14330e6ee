const nameChars = 80;

/**
 * A `content-disposition` that saves a document under its title: in plain ASCII for every client, and in full for clients with RFC 8187.
 * Neither form has a path, a quote or a control character.
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

/** Also escapes the characters that `encodeURIComponent` keeps and the grammar of RFC 8187 forbids. */
function encodeExtended(name: string): string {
  return encodeURIComponent(name).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

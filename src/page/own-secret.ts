const place = "troupe-secret";

/**
 * The secret by which the server recognises this browser, also after a reload; made at the first call. If the browser stores nothing, it
 * lasts as long as the page.
 */
export function ownSecret(storage: () => Storage): string {
  const made = [...crypto.getRandomValues(new Uint8Array(32))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
  try {
    const kept = storage().getItem(place);
    if (kept !== null) return kept;
    storage().setItem(place, made);
    return made;
  } catch {
    return made; // Storage can be switched off.
  }
}

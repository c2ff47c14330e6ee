import type { ProviderMessage } from "../../ports/provider.ts";

/**
 * A request's messages as the strictest readers take them: no two neighbours of one role (chat templates of Mistral, Gemma and
 * others answer 400), none without words, and the note for this answer at the very end, in a tag. Neighbours are joined by an empty line.
 */
export function alternateRoles(messages: readonly ProviderMessage[], note?: string): ProviderMessage[] {
  const tagged: ProviderMessage[] =
    note === undefined ? [] : [{ role: "user", text: `<note>${note}</note>` }];
  const turns: { role: ProviderMessage["role"]; texts: string[] }[] = [];
  for (const { role, text } of [...messages, ...tagged]) {
    if (text.trim() === "") continue;
    const last = turns.at(-1);
    if (last?.role === role) last.texts.push(text);
    else turns.push({ role, texts: [text] });
  }
  return turns.map(({ role, texts }) => ({ role, text: texts.join("\n\n") }));
}

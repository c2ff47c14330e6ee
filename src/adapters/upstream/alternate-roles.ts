import type { ProviderMessage } from "../../ports/provider.ts";

/**
 * A request's messages in the form that the strictest servers accept. Neighbours with the same role are joined by an empty line, because
 * chat templates of Mistral, Gemma and others answer 400 to them. Messages without words are left out. The note for this answer comes
 * last, in a tag.
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

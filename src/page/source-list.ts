import type { AnswerSource } from "../client/index.ts";
import { element } from "./elements.ts";
import { webAddress } from "./web-address.ts";

interface SourceList {
  readonly root: HTMLElement;
  show(sources: readonly AnswerSource[]): void;
}

/** The sources of one answer as links. Hidden if there are none. */
export function createSourceList(): SourceList {
  const title = element("summary");
  const list = element("ol");
  const root = element("details", { class: "beside sources", open: true, hidden: true }, title, list);
  return {
    root,
    show(sources) {
      root.hidden = sources.length === 0;
      title.textContent = sources.length === 1 ? "1 source" : `${sources.length} sources`;
      list.replaceChildren(...sources.map((source) => element("li", {}, linkTo(source))));
    },
  };
}

/** A link to a source. An address of another kind than the web's stays text. */
function linkTo({ url, title }: AnswerSource): HTMLElement | string {
  const href = webAddress(url);
  if (href === undefined) return title ?? url;
  return element("a", { href, target: "_blank", rel: "noopener noreferrer", title: url }, title ?? url);
}

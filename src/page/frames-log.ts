import { byId, element } from "./elements.ts";
import { stickToBottom } from "./stick-to-bottom.ts";

/** Older frames are dropped. */
const keptFrames = 500;
/** Longer frames are folded, characters. */
const longFrame = 220;

interface FramesLog {
  add(direction: "out" | "in", text: string): void;
}

/** Shows every frame in both directions as it went over the wire, the newest last. */
export function createFramesLog(): FramesLog {
  const list = byId("frames", HTMLOListElement);
  const count = byId("frames-count", HTMLElement);
  const follow = stickToBottom(list);
  const kept: string[] = [];
  // A reader without a mouse can scroll only a focused element.
  list.tabIndex = 0;
  let total = 0;

  byId("frames-clear", HTMLButtonElement).addEventListener("click", () => {
    list.replaceChildren();
    kept.length = 0;
    total = 0;
    showCount();
  });
  const copy = byId("frames-copy", HTMLButtonElement);
  copy.addEventListener("click", async () => {
    const copied = await copyText(kept.join("\n"));
    copy.textContent = copied ? "Copied" : "Copying was refused";
    setTimeout(() => {
      copy.textContent = "Copy";
    }, 2000);
  });
  showCount();

  function showCount(): void {
    const dropped = total > kept.length ? `, the last ${kept.length} shown` : "";
    count.textContent = total === 0 ? "both directions, as they are on the wire" : `${total}${dropped}`;
  }

  return {
    add(direction, text) {
      const time = new Date().toLocaleTimeString("en-GB");
      const arrow = direction === "out" ? "→" : "←";
      kept.push(`${time} ${arrow} ${text}`);
      list.append(
        element(
          "li",
          {},
          element("span", { class: direction === "in" ? "hint" : false }, `${time} ${arrow} ${direction}`),
          frameBody(text),
        ),
      );
      if (kept.length > keptFrames) {
        kept.shift();
        list.firstElementChild?.remove();
      }
      total += 1;
      showCount();
      follow();
    },
  };
}

function frameBody(text: string): HTMLElement {
  if (text.length <= longFrame) return element("code", {}, text);
  const length = `${text.length.toLocaleString("en-GB")} characters`;
  const summary = element("summary", {}, element("code", {}, `${text.slice(0, longFrame)}…`), ` (${length})`);
  const whole = element("details", {}, summary);
  whole.addEventListener("toggle", () => whole.append(element("pre", {}, pretty(text))), { once: true });
  return whole;
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return text;
  }
}

/** Copies a text; returns whether it worked. The clipboard exists in secure contexts only, and may be refused to a page from disk. */
async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelected(text);
  }
}

/** Selects the text and copies the selection, which works on plain HTTP too. */
function copySelected(text: string): boolean {
  const selected = element("textarea", { class: "unseen", readonly: true, "aria-hidden": "true" });
  const focused = document.activeElement;
  selected.value = text;
  document.body.append(selected);
  selected.select();
  const copied = document.execCommand("copy");
  selected.remove();
  if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
  return copied;
}

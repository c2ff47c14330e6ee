/** How near to its end, in pixels, a scrolled element counts as being there. */
const nearPx = 24;

/**
 * Keeps a scrolling element at its end while its reader is there, and lets it be where the reader has scrolled to otherwise.
 * Call the result after every growth.
 */
export function stickToBottom(scroller: HTMLElement): () => void {
  let atEnd = true;
  scroller.addEventListener("scroll", () => {
    atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight <= nearPx;
  });
  return () => {
    if (atEnd) scroller.scrollTop = scroller.scrollHeight;
  };
}

/** An element scrolled this near to its end counts as being there, pixels. */
const nearPx = 24;

/**
 * Keeps a scrolling element at its end while its reader is there, and otherwise where the reader has scrolled to. Call the result after
 * every growth.
 */
export function stickToBottom(scroller: HTMLElement): () => void {
  let atEnd = true;
  let topPx = 0;

  const fromEndPx = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;

  // Upwards, even the smallest step is the reader's wish. With the near limit, slow scrolling could never leave the end.
  scroller.addEventListener("scroll", () => {
    atEnd = fromEndPx() <= (scroller.scrollTop < topPx ? 1 : nearPx);
    topPx = scroller.scrollTop;
  });

  return () => {
    // The event of a scroll step may come only after this growth.
    if (scroller.scrollTop < topPx && fromEndPx() > 1) atEnd = false;
    if (atEnd) scroller.scrollTop = scroller.scrollHeight;
    topPx = scroller.scrollTop;
  };
}

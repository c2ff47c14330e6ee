/**
 * Hides or disables a control without losing a keyboard user's place: the focus goes to `next`. Otherwise the browser would put it at the
 * start of the page.
 */
export function withFocusKept(control: HTMLElement, next: () => HTMLElement, change: () => void): void {
  const hadFocus = document.activeElement === control;
  change();
  if (hadFocus) next().focus({ preventScroll: true });
}

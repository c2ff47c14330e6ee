/**
 * Hides or disables a control without losing the place of a reader who works with the keyboard: the focus goes to `next`, which the
 * browser would otherwise put at the start of the page.
 */
export function withFocusKept(control: HTMLElement, next: () => HTMLElement, change: () => void): void {
  const hadFocus = document.activeElement === control;
  change();
  if (hadFocus) next().focus({ preventScroll: true });
}

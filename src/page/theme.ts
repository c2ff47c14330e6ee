const themes = ["auto", "light", "dark"] as const;
type Theme = (typeof themes)[number];
const storageKey = "troupe-theme";

/** Makes a button cycle through the themes: the system's, light, dark. The browser keeps the choice if it allows storage. */
export function connectThemeButton(button: HTMLButtonElement): void {
  let theme = themes.find((known) => known === recall()) ?? "auto";
  apply();
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length] ?? "auto";
    remember(theme);
    apply();
  });

  function apply(): void {
    document.documentElement.style.colorScheme = theme === "auto" ? "light dark" : theme;
    button.textContent = `Theme: ${theme}`;
  }
}

/** A browser may refuse storage, above all to a page from disk; then the theme lasts as long as the page. */
function recall(): string | undefined {
  try {
    return localStorage.getItem(storageKey) ?? undefined;
  } catch {
    return undefined;
  }
}

function remember(theme: Theme): boolean {
  try {
    localStorage.setItem(storageKey, theme);
    return true;
  } catch {
    return false;
  }
}

import { type PageConfiguration, renderPage } from "../doors/http/page.ts";

export interface PagesOptions {
  /** Host names under which a proxy that ends TLS serves the page. */
  readonly servedNames: readonly string[];
  /** The token of a page that is opened from disk. */
  readonly pageToken?: string;
}

/** The test page, served and for opening from disk, with the configuration at the time of rendering. */
export async function openPages(
  configuration: () => Omit<PageConfiguration, "url" | "token">,
  { servedNames, pageToken }: PagesOptions,
) {
  const render = () => renderPage(configuration(), servedNames);
  let served = await render();

  return {
    served: {
      get html() {
        return served.html;
      },
      get policy() {
        return served.policy;
      },
    },
    /** Renders the served page again. */
    async refresh(): Promise<void> {
      served = await render();
    },
    async renderForDisk(url: string): Promise<string> {
      const token = pageToken === undefined ? {} : { token: pageToken };
      return (await renderPage({ ...configuration(), url, ...token }, [])).html;
    },
  };
}

import type { ModelPrice, Prices } from "../ports/prices.ts";
import type { FallbackLink, ProviderCatalog, ProviderChoice } from "../ports/provider.ts";
import { TroupeError } from "../protocol/errors.ts";
import { type Chains, linkOf, type NamedLink, nameOf } from "./providers/catalog.ts";

interface ChainReportOptions {
  readonly chains: Chains;
  readonly catalog: Pick<ProviderCatalog, "choose">;
  /** Whether an endpoint can answer; `undefined` if there is no such endpoint. */
  readonly canAnswer: (api: string) => boolean | undefined;
  /** Whether an endpoint lists a model; `undefined` if it lists none. */
  readonly lists: (api: string, model: string) => boolean | undefined;
  readonly prices: Prices;
}

/** A link of a chain, as it was found. */
interface FoundLink {
  readonly state: "ready" | "unsure" | "fails" | "missing";
  readonly name: string;
  readonly words: string;
}

/** The lines about each fallback chain: its links, whether they can answer, and their prices. */
export function chainReport(options: ChainReportOptions): string[] {
  return [...options.chains].flatMap(([first, links]) => {
    const found = foundLinks(linkOf(first), links, options);
    const width = Math.max(...found.map(({ name }) => name.length));
    const able = found.filter(({ state }) => state === "ready" || state === "unsure").length;
    return [
      "",
      `Fallback of ${first}: ${able} of ${found.length} links can answer.`,
      ...found.map(({ state, name, words }) => `  ${state.padEnd(8)}${name.padEnd(width)}  ${words}`),
    ];
  });
}

function foundLinks(first: NamedLink, links: readonly NamedLink[], options: ChainReportOptions): FoundLink[] {
  const choice = chosen(first, options);
  const rest = [...(choice?.fallbacks ?? [])];
  return [
    findLink(first, choice, options),
    ...links.map((link) => findLink(link, take(rest, link), options)),
  ];
}

/** `undefined` if the endpoint is not there, or has told no model. */
function chosen({ api, model }: NamedLink, { catalog }: ChainReportOptions): ProviderChoice | undefined {
  try {
    return catalog.choose(api, model);
  } catch (error) {
    if (error instanceof TroupeError) return undefined;
    throw error;
  }
}

/** Takes the choice of the next link out of the list, which lacks the links that cannot be asked. */
function take(rest: FallbackLink[], { api, model }: NamedLink): FallbackLink | undefined {
  const [next] = rest;
  if (next?.api !== api || (model !== undefined && next.model !== model)) return undefined;
  return rest.shift();
}

function findLink(
  link: NamedLink,
  choice: ProviderChoice | undefined,
  options: ChainReportOptions,
): FoundLink {
  const { canAnswer, lists, prices } = options;
  const { api, model = choice?.model } = link;
  const name = nameOf({ api, model });
  const answers = canAnswer(api);
  if (answers === undefined)
    return { state: "missing", name, words: "is not configured, or its key is not set" };
  if (!answers) return { state: "fails", name, words: "cannot answer: see above" };
  // The first link decides the model of the others, and it cannot be asked.
  if (model === undefined) return { state: "ready", name, words: "answers with its own model" };
  const price = priceWords(prices.priceOf({ api, model }));
  if (lists(api, model) === false)
    return { state: "unsure", name, words: `is not in the list of ${api}; ${price}` };
  return { state: "ready", name, words: price };
}

/** The price of a short call, for people. */
function priceWords(price: ModelPrice | undefined): string {
  if (price === undefined) return "has no known price";
  const { input, output } = price.at(0);
  if (input === 0 && output === 0) return "is free";
  const about = price.approximate ? "about " : "";
  return `costs ${about}$${input} for a million tokens of input, $${output} of output`;
}

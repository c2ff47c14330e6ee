import { isObject } from "../../ports/json.ts";

/** The words of a server that does not know or support a parameter. A wrong value of a known one must reach the client instead. */
const isUnsupported =
  /unsupported|not supported|does not support|not permitted|not allowed|unknown|unrecogni[sz]ed|unexpected|\bextra (inputs|fields)\b|deprecated/i;

/** The parameters of an API that a server may refuse although the rest of the call is right. */
export interface OmissionRules {
  /**
   * Parameters without which the answer is still an answer to the request; tools, messages and the form of the answer are not. Each is a
   * path such as `output_config.effort`, in which `*` is every entry of a list.
   */
  readonly droppable: readonly string[];
  /** Parameters with two names, in both directions. The other name is sent instead. */
  readonly otherName?: Readonly<Record<string, string>>;
}

/** The changes of one model's calls. */
interface Omission {
  readonly dropped: Set<string>;
  /** New names by refused name. */
  readonly renamed: Map<string, string>;
}

/** Models of one endpoint whose refusals are remembered. Clients name the models, so there could be any number. */
const maxModels = 256;

/** A refusal, as far as it may name a parameter. */
interface Refusal {
  readonly status: number;
  readonly param?: unknown;
  readonly message: string;
}

/**
 * Parameters that an endpoint has refused, by model: newer models of one vendor refuse those of older ones. Kept until the process ends.
 */
export class Omissions<Params extends { readonly model: string }> {
  readonly #models = new Map<string, Omission>();
  readonly #droppable: readonly string[];
  readonly #otherName: ReadonlyMap<string, string>;

  constructor({ droppable, otherName = {} }: OmissionRules) {
    this.#droppable = droppable;
    this.#otherName = new Map(Object.entries(otherName));
  }

  /** The parameters without the refused ones. */
  apply(params: Params): Params {
    const omission = this.#models.get(params.model);
    if (omission === undefined) return params;
    const { dropped, renamed } = omission;
    const kept = [...dropped].reduce<unknown>((value, path) => without(value, path.split(".")), params);
    const entries = Object.entries(isObject(kept) ? kept : {});
    // The entries are those of checked parameters.
    return Object.fromEntries(entries.map(([name, value]) => [renamed.get(name) ?? name, value])) as Params;
  }

  /** Learns from a refusal of these parameters. Returns whether the call is worth repeating: something new was learned. */
  learn(params: Params, { status, param, message }: Refusal): boolean {
    if ((status !== 400 && status !== 422) || !isUnsupported.test(message)) return false;
    const omission = this.#models.get(params.model) ?? { dropped: new Set(), renamed: new Map() };
    const { dropped, renamed } = omission;
    const isRefused = (name: string) => names(name, param, message);
    const name = [...this.#otherName.keys()].find((one) => one in params && isRefused(one));
    if (name !== undefined) {
      const other = this.#otherName.get(name) ?? name;
      // The other name was refused before.
      if (renamed.has(other)) return false;
      renamed.set(name, other);
    } else {
      const found = this.#droppable.find((one) => has(params, one.split(".")) && isRefused(lastOf(one)));
      if (found === undefined) return false;
      // Wherever it is sent.
      for (const path of this.#droppable) if (lastOf(path) === lastOf(found)) dropped.add(path);
    }
    this.#keep(params.model, omission);
    return true;
  }

  #keep(model: string, omission: Omission): void {
    const [oldest] = this.#models.keys();
    if (oldest !== undefined && this.#models.size >= maxModels && !this.#models.has(model))
      this.#models.delete(oldest);
    this.#models.set(model, omission);
  }
}

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1);
}

/** Whether there is a value at a path, in which `*` is any entry of a list. */
export function has(value: unknown, [step, ...rest]: readonly string[]): boolean {
  if (step === undefined) return value !== undefined;
  if (step === "*") return Array.isArray(value) && value.some((entry) => has(entry, rest));
  return isObject(value) && has(value[step], rest);
}

/** A copy without the value at a path. An object that has nothing else goes as well. */
function without(value: unknown, [step, ...rest]: readonly string[]): unknown {
  if (step === undefined) return undefined;
  if (step === "*") return Array.isArray(value) ? value.map((entry) => without(entry, rest)) : value;
  if (!isObject(value) || !(step in value)) return value;
  const { [step]: inner, ...others } = value;
  const kept = without(inner, rest);
  if (kept !== undefined) return { ...value, [step]: kept };
  return Object.keys(others).length === 0 ? undefined : others;
}

/** Whether a refusal is about this parameter: by its path, or by its message, in which a bare word could mean anything. */
function names(name: string, param: unknown, message: string): boolean {
  if (typeof param === "string" && param !== "") return param.split(/[.[\]]/).includes(name);
  const said = String.raw`['"\x60]${name}(?:\.\w+)*['"\x60]|(?:^|[\s.])${name}:|: ${name}\b|\b${name}(?:\.\w+)* (?:is|are|was|does)\b`;
  const typed = String.raw`\b(?:parameter|argument|field|property)s? ${name}\b|\b${name} (?:parameter|argument|field)\b`;
  return new RegExp(`${said}|${typed}`).test(message);
}

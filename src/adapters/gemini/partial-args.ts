import { isObject, type JsonObject, type JsonValue } from "../../ports/json.ts";
import { TroupeError } from "../../protocol/errors.ts";

/** Lists and objects inside each other in the arguments of a call. */
const maxDepth = 64;

/** A step of a path: `.name`, `['name']`, `["name"]` or `[0]`. */
const step = /\.([^.[\]'"]+)|\[(\d+)\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]/y;

/**
 * The arguments of a call that come in pieces, each a value at a JSON path such as `$.stops[0].city`. A text may come in several pieces.
 * A path that does not extend the value so far throws `upstream_invalid`: an index far from the end of its list would cost any memory.
 */
export class PartialArgs {
  /** Made without a prototype, so that no name of an argument means anything. */
  readonly value = createObject();
  /** Lists and objects that were made. */
  containers = 0;
  /** The path whose text goes on. */
  #openPath: string | undefined;

  add(piece: JsonObject): void {
    const { jsonPath, stringValue, numberValue, boolValue } = piece;
    if (typeof jsonPath !== "string") return;
    const goesOn = this.#openPath === jsonPath;
    this.#openPath = piece.willContinue === true ? jsonPath : undefined;
    const value = stringValue ?? numberValue ?? boolValue ?? null;
    this.#set(stepsOf(jsonPath), (earlier) =>
      goesOn && typeof earlier === "string" && typeof value === "string" ? earlier + value : value,
    );
  }

  #set(steps: readonly (string | number)[], change: (earlier: JsonValue | undefined) => JsonValue): void {
    let place: JsonValue = this.value;
    for (const [depth, name] of steps.entries()) {
      const next = steps[depth + 1];
      const earlier = read(place, name);
      const value = next === undefined ? change(earlier) : (earlier ?? this.#create(next));
      write(place, name, value);
      place = value;
    }
  }

  #create(next: string | number): JsonValue {
    this.containers += 1;
    return typeof next === "number" ? [] : createObject();
  }
}

function createObject(): JsonObject {
  return Object.create(null);
}

function stepsOf(path: string): (string | number)[] {
  const steps: (string | number)[] = [];
  step.lastIndex = path.startsWith("$") ? 1 : 0;
  while (step.lastIndex < path.length) {
    const [, name, index, single, double] = step.exec(path) ?? invalid(path);
    const quoted = (single ?? double)?.replaceAll(/\\(.)/g, "$1");
    steps.push(index === undefined ? (name ?? quoted ?? "") : Number(index));
  }
  return steps.length > 0 && steps.length <= maxDepth ? steps : invalid(path);
}

function read(place: JsonValue, name: string | number): JsonValue | undefined {
  if (Array.isArray(place) && typeof name === "number" && name <= place.length) return place[name];
  return isObject(place) && typeof name === "string" ? place[name] : invalid(String(name));
}

function write(place: JsonValue, name: string | number, value: JsonValue): void {
  if (Array.isArray(place) && typeof name === "number") place[name] = value;
  else if (isObject(place)) place[name] = value;
}

function invalid(path: string): never {
  throw new TroupeError("upstream_invalid", { cause: new Error(`An argument is at no place: ${path}`) });
}

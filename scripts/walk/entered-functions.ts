import { Session } from "node:inspector/promises";
import { pathToFileURL } from "node:url";
import { root } from "../repository.ts";

/** Functions that ran, by the path of their source from the root. */
export type Entered = ReadonlyMap<string, readonly string[]>;

const sources = `${pathToFileURL(root).href}/`;

/** Counts the functions of `src` that this thread enters. */
export class EnteredFunctions implements Disposable {
  readonly #session: Session;

  private constructor(session: Session) {
    this.#session = session;
  }

  static async start(): Promise<EnteredFunctions> {
    const session = new Session();
    session.connect();
    await session.post("Profiler.enable");
    await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
    return new EnteredFunctions(session);
  }

  /** The functions that were entered since the last call. */
  async take(): Promise<Entered> {
    const { result } = await this.#session.post("Profiler.takePreciseCoverage");
    const entered = new Map<string, string[]>();
    for (const { url, functions } of result) {
      if (!url.startsWith(`${sources}src/`)) continue;
      const names = functions
        .filter(({ ranges }) => (ranges[0]?.count ?? 0) > 0)
        .map(({ functionName }) => functionName || "(anonymous)");
      if (names.length > 0) entered.set(url.slice(sources.length), names);
    }
    return entered;
  }

  [Symbol.dispose](): void {
    this.#session.disconnect();
  }
}

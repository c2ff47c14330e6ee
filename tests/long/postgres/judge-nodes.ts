import type { UpstreamRequest } from "../../crash/counting-upstream.ts";
import type { Timeline } from "./timeline.ts";

/** A cancel that was answered with `cancelling`. The time is on the scale of `Date.now()`. */
export interface AcceptedCancel {
  readonly id: string;
  readonly atMs: number;
}

/** The looks within which a turn's owner has found the cancel of a client that is connected to another node. */
const looksToCancel = 3;
/** A message that left in time arrives within this many looks. */
const looksOnTheWay = 1;

/** Something that had to happen between two moments of this machine's clock. */
export interface Wait {
  /** The id of the request, or a description. */
  readonly what: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** From the death of each turn's owner, or from the moment when it let go of the turn, until the turn was claimed or ended. */
export function waitsForClaims({ history, deathOf }: Timeline): Wait[] {
  const letGo = new Map<number, number>();
  return history.owners.flatMap(({ turn, id, before, after, atMs }) => {
    const fromMs = before === 0 ? letGo.get(turn) : before === undefined ? undefined : deathOf(before);
    if (after === 0) letGo.set(turn, atMs);
    return fromMs === undefined || fromMs >= atMs ? [] : [{ what: id, fromMs, toMs: atMs }];
  });
}

/** From each accepted cancel until the turn has ended, or from the death of its owner if that came later. */
export function waitsForEnds(cancels: readonly AcceptedCancel[], timeline: Timeline): Wait[] {
  const { history } = timeline;
  const ends = new Map(
    history.owners.flatMap((change) => (change.after === undefined ? [[change.id, change.atMs]] : [])),
  );
  const waits = cancels.map(({ id, atMs }) => ({ what: id, fromMs: atMs, toMs: ends.get(id) ?? atMs }));
  return waitsAfterDeaths(waits, timeline);
}

/** The same waits for requests, each counted from the last death of an owner of the turn. */
export function waitsAfterDeaths(waits: readonly Wait[], { history, deathOf }: Timeline): Wait[] {
  const changes = Map.groupBy(history.owners, ({ id }) => id);
  return waits.map(({ what, fromMs, toMs }) => {
    const within = (changes.get(what) ?? []).filter(({ atMs }) => atMs > fromMs && atMs <= toMs);
    const deaths = within.map(({ before = 0, atMs }) => deathOf(before) ?? atMs);
    return { what, fromMs: Math.max(fromMs, ...deaths.filter((diedMs) => diedMs < toMs)), toMs };
  });
}

/** From the end of a dead node's fence until each of its slices was returned, or until the last look if it never was. */
export function waitsForSlices(
  left: readonly { readonly incarnation: number; readonly name: string }[],
  { history }: Timeline,
): Wait[] {
  const ends = new Map(history.fenceEnds.map(({ incarnation, atMs }) => [incarnation, atMs]));
  const lastMs = history.looks.at(-1)?.atMs ?? 0;
  return [...history.sliceEnds, ...left.map((slice) => ({ ...slice, atMs: lastMs }))].flatMap(
    ({ incarnation, name, atMs }) => {
      const fromMs = ends.get(incarnation);
      return fromMs === undefined || fromMs >= atMs
        ? []
        : [{ what: `${name} of ${incarnation}`, fromMs, toMs: atMs }];
    },
  );
}

/** The longest, in looks and in milliseconds. */
export function longestOf(waits: readonly Wait[], { looks }: Timeline): string {
  const lengths = waits.map(({ fromMs, toMs }) => ({ looks: looks(fromMs, toMs), ms: toMs - fromMs }));
  const [longest] = lengths.toSorted((one, other) => other.ms - one.ms);
  return longest === undefined ? "none" : `${longest.looks} looks, ${Math.round(longest.ms)} ms`;
}

/** The waits that lasted too long, each with its length. */
export function lateOnes(waits: readonly Wait[], timeline: Timeline): string[] {
  return waits
    .filter(({ fromMs, toMs }) => timeline.isLate(fromMs, toMs))
    .map(
      ({ what, fromMs, toMs }) =>
        `${what}: ${timeline.looks(fromMs, toMs)} looks, ${Math.round(toMs - fromMs)} ms`,
    );
}

/** The calls of requests whose cancel was accepted so long before that the node which made the call must have known. */
export function callsAfterCancels(
  cancels: readonly AcceptedCancel[],
  requests: readonly UpstreamRequest[],
  { looks }: Timeline,
): string[] {
  const accepted = new Map(cancels.map(({ id, atMs }) => [id, atMs]));
  return requests.flatMap(({ id, key, atMs }) => {
    const cancelledMs = accepted.get(id) ?? Number.POSITIVE_INFINITY;
    return atMs > cancelledMs && looks(cancelledMs, atMs) > looksToCancel
      ? [`${id}: called by ${key} ${Math.round(atMs - cancelledMs)} ms after its cancel`]
      : [];
  });
}

/**
 * The cancels that reached the provider from a node whose fence was gone for longer than a message is on its way. The key of the call names
 * the node. A node that has started again in the same process meanwhile has a fence, so a cancel that its former self decided is not seen.
 */
export function cancelsWithoutFence(
  cancelled: readonly UpstreamRequest[],
  { history, looks }: Timeline,
): string[] {
  const fenceEnds = new Map(history.fenceEnds.map(({ incarnation, atMs }) => [incarnation, atMs]));
  return cancelled.flatMap(({ id, key, atMs }) => {
    const own = history.starts.findLast(({ name, atMs: startedMs }) => name === key && startedMs < atMs);
    const goneMs = fenceEnds.get(own?.incarnation ?? 0) ?? Number.POSITIVE_INFINITY;
    return goneMs < atMs && looks(goneMs, atMs) > looksOnTheWay
      ? [`${id}: cancelled by ${key} ${Math.round(atMs - goneMs)} ms after its fence was gone`]
      : [];
  });
}

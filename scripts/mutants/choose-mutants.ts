import { createHash } from "node:crypto";
import { dirname } from "node:path/posix";
import { type Mutant, nameOf } from "./find-mutants.ts";

/**
 * A sample of `count` mutants (or all, if there are fewer), spread over folders and files by their size. The seed and a
 * mutant's own text decide its rank, so a change of one file hardly changes the choice in the others.
 */
export function chooseMutants(mutants: readonly Mutant[], count: number, seed: number): Mutant[] {
  const folders = Map.groupBy(mutants, ({ file }) => dirname(file));
  const quotas = shareOut(
    count,
    [...folders].map(([folder, { length }]) => [folder, length]),
  );
  return [...folders].flatMap(([folder, members]) => chooseInFolder(members, quotas.get(folder) ?? 0, seed));
}

/** No file gives more than its share, rounded up, so that a large file does not crowd out the others. */
function chooseInFolder(members: readonly Mutant[], quota: number, seed: number): Mutant[] {
  const files = Map.groupBy(members, ({ file }) => file);
  const left = new Map(
    [...files].map(([file, { length }]) => [file, Math.ceil((quota * length) / members.length)]),
  );
  const chosen = new Set<Mutant>();
  for (const mutant of byRank(members, seed)) {
    const leftInFile = left.get(mutant.file) ?? 0;
    if (chosen.size >= quota || leftInFile === 0) continue;
    left.set(mutant.file, leftInFile - 1);
    chosen.add(mutant);
  }
  return members.filter((mutant) => chosen.has(mutant));
}

function byRank(mutants: readonly Mutant[], seed: number): Mutant[] {
  const seen = new Map<string, number>();
  const ranked = mutants.map((mutant) => {
    const name = nameOf(mutant);
    const nth = seen.get(name) ?? 0;
    seen.set(name, nth + 1);
    const rank = createHash("sha256").update(`${seed} ${nth} ${name}`).digest("hex");
    return { mutant, rank };
  });
  return ranked.sort((a, b) => (a.rank < b.rank ? -1 : 1)).map(({ mutant }) => mutant);
}

/** Divides `count` in proportion to sizes by largest remainders. No member gets more than its size. */
export function shareOut(
  count: number,
  sizes: readonly (readonly [string, number])[],
): ReadonlyMap<string, number> {
  const total = sizes.reduce((sum, [, size]) => sum + size, 0);
  if (count >= total) return new Map(sizes);
  const exact = sizes.map(([name, size]) => ({ name, share: (count * size) / total }));
  const shares = new Map(exact.map(({ name, share }) => [name, Math.floor(share)]));
  const given = [...shares.values()].reduce((sum, share) => sum + share, 0);
  const byRemainder = exact.toSorted((a, b) => (b.share % 1) - (a.share % 1));
  for (const { name } of byRemainder.slice(0, count - given)) shares.set(name, (shares.get(name) ?? 0) + 1);
  return shares;
}

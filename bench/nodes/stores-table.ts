import { cpuCell, markMeanings, numberCell, ratioMeaning, spreadCell } from "../report/cells.ts";
import { medianOf, summarize } from "../report/over-rounds.ts";
import type { StoreFigures } from "./measure-stores.ts";

const columns = [
  "streams",
  "store",
  "server, us a token",
  "database, us a token",
  "both, above SQLite's server, us a token",
  "database, % of a core",
  "commit, ms, p50 / p99",
  "first chunk, ms, p50 / p99",
];

/** A row for each store at each number of streams. The first store is the one that others are compared with. */
export function storesTable(measured: readonly StoreFigures[], rounds: number): string {
  const names = [...new Set(measured.map(({ store }) => store))];
  const levels = [...new Set(measured.map(({ streams }) => streams))];
  const of = (store: string | undefined, streams: number) =>
    measured
      .filter((figures) => figures.store === store && figures.streams === streams)
      .sort((one, other) => one.round - other.round);
  const rows = levels.flatMap((streams) =>
    names.map((name) => {
      const figures = of(name, streams);
      const compared = of(names[0], streams);
      const above = summarize(
        figures.map(
          ({ window, databaseUsPerToken }, round) =>
            window.cpuUsPerToken + databaseUsPerToken - (compared[round]?.window.cpuUsPerToken ?? Number.NaN),
        ),
      );
      const isCompared = name === names[0];
      return [
        streams,
        name,
        cpuCell(figures.map(({ window }) => window)),
        isCompared ? "" : numberCell(medianOf(figures.map((one) => one.databaseUsPerToken)), 1),
        isCompared || above === undefined
          ? ""
          : `${above.median.toFixed(1)} (${above.min.toFixed(1)} to ${above.max.toFixed(1)})`,
        isCompared ? "" : numberCell(medianOf(figures.map((one) => one.databaseShare * 100)), 0),
        spreadCell(figures.map(({ commits }) => commits)),
        spreadCell(figures.map(({ firstChunk }) => firstChunk)),
      ];
    }),
  );
  const lines = [columns, columns.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  const disturbances = [...Map.groupBy(measured, ({ round }) => round).values()].map((inRound) =>
    Math.max(...inRound.map(({ window }) => window.trust.othersShare * 100)).toFixed(0),
  );
  return [
    lines.join("\n"),
    "",
    `- ${ratioMeaning(rounds)}`,
    `- Other programs used up to ${disturbances.join(", ")} % of the measured core in these rounds.`,
    ...markMeanings.map((meaning) => `- ${meaning}`),
  ].join("\n");
}

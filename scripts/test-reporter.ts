import { relative, resolve } from "node:path";
import { dot, type TestEvent } from "node:test/reporters";

const summaryLine = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/;

/**
 * For pipes and CI logs: prints a dot per test and the details of failed tests. Then it prints the error output of the
 * failed files, because the dots alone would hide why a file did not load. Node's own summary comes last: `# tests 12`,
 * `# pass 12`, ...
 */
export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string, void> {
  const summary: string[] = [];
  const errorOutput = new Map<string, string>();
  const failedFiles = new Set<string>();

  async function* look(): AsyncGenerator<TestEvent, void> {
    for await (const event of events) {
      if (event.type === "test:diagnostic" && event.data.file === undefined) {
        if (summaryLine.test(event.data.message)) summary.push(`# ${event.data.message}\n`);
      } else if (event.type === "test:stderr" && event.data.file !== undefined) {
        // This event names the file as the command line did; a failed test's event gives the full path.
        const file = resolve(event.data.file);
        errorOutput.set(file, (errorOutput.get(file) ?? "") + event.data.message);
      } else if (event.type === "test:fail" && event.data.file !== undefined)
        failedFiles.add(event.data.file);
      yield event;
    }
  }

  yield* dot(look());
  for (const file of failedFiles) {
    const text = errorOutput.get(file);
    if (text !== undefined) yield `\nError output of ${relative("", file)}:\n${text}`;
  }
  yield `\n${summary.join("")}`;
}

import { FastReads } from "../../src/adapters/upstream/fast/fast-reads.ts";

/** False if `TEST_FAST_READS=off`: the suites then run without the parts of Node that are not documented. */
export const hasFastReads = process.env.TEST_FAST_READS !== "off";

export const createFastReads = () => new FastReads({ isOn: hasFastReads });

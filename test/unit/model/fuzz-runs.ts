/** How long property tests run: `SLUICE_FUZZ_RUNS` examples each, 200 unless set. */
export const fuzz = { numRuns: Number(process.env.SLUICE_FUZZ_RUNS ?? 200) };

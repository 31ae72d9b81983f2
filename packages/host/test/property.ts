// Property tests with a fixed seed; ESPALIER_NIGHTLY=1 runs many more of them.
import fc from 'fast-check';

export { fc };

/** Runs a property `runs` times. */
export async function test<T>(arbitrary: fc.Arbitrary<T>, runs: number, property: (value: T) => Promise<void>) {
  const numRuns = process.env['ESPALIER_NIGHTLY'] === '1' ? runs * 50 : runs;
  await fc.assert(fc.asyncProperty(arbitrary, property), { seed: 20260115, numRuns });
}

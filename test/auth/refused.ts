import { type ErrorCode, FsError } from '../../src/errors.ts';

/** The error a call ends with; fails the test where it succeeds or ends with another code. */
export async function refused(code: ErrorCode, call: () => unknown): Promise<FsError> {
  let outcome: unknown;
  try {
    outcome = await call();
  } catch (error) {
    if (error instanceof FsError && error.code === code) return error;
    throw error;
  }
  throw new Error(`expected ${code}, but it succeeded with ${JSON.stringify(outcome)}`);
}

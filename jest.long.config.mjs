import base from './jest.config.mjs';

/** The longer forms: the same kind of test, more rounds or more bytes. One at a time, so that each has the machine. */
export default {
  ...base,
  testMatch: ['**/*.long.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  maxWorkers: 1,
  testTimeout: 1_800_000,
};

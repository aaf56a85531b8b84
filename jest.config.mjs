/**
 * The ordinary run: real disk, real databases, real HTTP, each test file with its own temporary data root.
 * Files named `*.long.test.ts` are left to jest.long.config.mjs (`npm run test:long`).
 */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '\\.long\\.test\\.ts$'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { target: 'es2024', parser: { syntax: 'typescript' } },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
  // One more than two cores can keep busy: many tests wait for the disk, a lease or a process.
  maxWorkers: 3,
  // Far above what any test takes: a busy machine is no reason to fail.
  testTimeout: 60_000,
};

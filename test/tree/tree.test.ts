import { describeTree } from '../contract/tree.contract.ts';
import { temporaryHome } from '../support/tree.ts';

describeTree('descriptors', (lines) => temporaryHome(lines, { durability: 'fsync' }));
describeTree('best effort', (lines) => temporaryHome(lines, { descriptors: '/nonexistent', bestEffort: true }));

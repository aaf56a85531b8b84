import { describeContendedEdits } from './contended.ts';

describeContendedEdits(1000);

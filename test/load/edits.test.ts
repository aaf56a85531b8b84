import { describeContendedEdits } from './contended.ts';

describeContendedEdits(40);

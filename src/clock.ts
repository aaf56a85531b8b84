/** What time it is. An argument everywhere, so tests can hold it still. */
export type Clock = () => Date;

export const systemClock: Clock = () => new Date();

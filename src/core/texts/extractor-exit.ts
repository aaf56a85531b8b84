/** What the process that reads a document says by its exit code; 0 is a text. Node has those below 20, and signals those from 128 on. */
export const UNREADABLE = 64;
/** A text, up to where the time was over. */
export const PARTIAL = 66;
/** Fewer bytes came than were announced: whoever sends them failed. */
export const CUT_OFF = 65;

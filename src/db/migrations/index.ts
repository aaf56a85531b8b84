import type { Migration } from '../driver.ts';
import { tables } from './0001-tables.ts';
import { changes } from './0002-changes.ts';
import { tags } from './0003-tags.ts';
import { objects } from './0004-objects.ts';
import { uploads } from './0005-uploads.ts';
import { texts } from './0006-texts.ts';
import { meter } from './0007-meter.ts';
import { webhooks } from './0008-webhooks.ts';
import { answers } from './0009-answers.ts';
import { objectLists } from './0010-object-lists.ts';

/** Every step, oldest first. */
export const MIGRATIONS: readonly Migration[] = [
  tables,
  changes,
  tags,
  objects,
  uploads,
  texts,
  meter,
  webhooks,
  answers,
  objectLists,
];

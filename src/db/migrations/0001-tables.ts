import { type CreateTableBuilder, sql } from 'kysely';
import type { ColumnTypes, Migration } from '../driver.ts';
import type { Database } from '../schema.ts';

type Kind = 'text' | 'integer' | 'text?' | 'integer?' | 'count';

interface Table {
  readonly columns: Readonly<Record<string, Kind>>;
  readonly key: readonly string[];
}

const OF_TENANT: Readonly<Record<string, Table>> = {
  tenants: { columns: { id: 'text', status: 'text', created_at: 'integer' }, key: ['id'] },
  agents: {
    columns: {
      tenant: 'text',
      id: 'text',
      user_id: 'text?',
      shared: 'integer',
      lifecycle: 'text',
      expires_after: 'integer?',
      created_at: 'integer',
      active_at: 'integer',
    },
    key: ['tenant', 'id'],
  },
  keys: {
    columns: {
      id: 'text',
      tenant: 'text',
      hash: 'text',
      scope: 'text?',
      agent: 'text?',
      created_at: 'integer',
      revoked_at: 'integer?',
    },
    key: ['id'],
  },
  attributes: {
    columns: { tenant: 'text', part: 'text', path_hash: 'text', path: 'text', tags: 'text', metadata: 'text' },
    key: ['tenant', 'part', 'path_hash'],
  },
};

const OF_PROCESS: Readonly<Record<string, Table>> = {
  usage: {
    columns: {
      tenant: 'text',
      part: 'text',
      bytes: 'count',
      files: 'count',
      reserved_bytes: 'count',
      reserved_files: 'count',
      limit_bytes: 'count',
      limit_files: 'count',
      recount: 'count',
      version: 'count',
    },
    key: ['tenant', 'part'],
  },
  holds: {
    columns: { instance: 'text', tenant: 'text', part: 'text', bytes: 'count', files: 'count' },
    key: ['instance', 'tenant', 'part'],
  },
  instances: {
    columns: {
      id: 'text',
      host: 'text',
      pid: 'integer',
      process_start: 'text',
      started_at: 'integer',
      lease_until: 'integer',
    },
    key: ['id'],
  },
  locks: { columns: { name: 'text', instance: 'text', token: 'integer', until: 'integer' }, key: ['name'] },
};

const OF_OBJECT: Readonly<Record<string, Table>> = {
  objects: {
    columns: {
      id: 'text',
      tenant: 'text',
      user_id: 'text?',
      agent_id: 'text?',
      session_id: 'text?',
      run_id: 'text?',
      purpose: 'text?',
      status: 'text',
      visibility: 'text',
      filename: 'text?',
      mime_type: 'text',
      size: 'integer?',
      sha256: 'text?',
      path: 'text?',
      created_at: 'integer',
      deleted_at: 'integer?',
    },
    key: ['id'],
  },
  contents: {
    columns: { tenant: 'text', sha256: 'text', size: 'integer', refs: 'integer' },
    key: ['tenant', 'sha256'],
  },
};

const OF_RUN: Readonly<Record<string, Table>> = {
  runs: {
    columns: {
      id: 'text',
      tenant: 'text',
      agent: 'text',
      user_id: 'text?',
      session_id: 'text?',
      status: 'text',
      instance: 'text',
      finishing: 'text?',
      capture: 'text',
      inputs: 'text',
      timeout_seconds: 'integer',
      deadline_at: 'integer',
      seeded_files: 'integer',
      seeded_bytes: 'integer',
      started_at: 'integer',
      finished_at: 'integer?',
    },
    key: ['id'],
  },
  live_runs: { columns: { tenant: 'text', agent: 'text', run_id: 'text' }, key: ['tenant', 'agent'] },
  seeds: {
    columns: {
      run_id: 'text',
      n: 'integer',
      path: 'text',
      size: 'integer',
      sha256: 'text',
      source: 'text',
      automatic: 'integer',
    },
    key: ['run_id', 'n'],
  },
  journal: {
    columns: { run_id: 'text', n: 'integer', path: 'text', kind: 'text', inode: 'text', aside: 'text?' },
    key: ['run_id', 'n'],
  },
  manifest: {
    columns: {
      tenant: 'text',
      agent: 'text',
      path_hash: 'text',
      path: 'text',
      version: 'text',
      size: 'integer',
      sha256: 'text',
    },
    key: ['tenant', 'agent', 'path_hash'],
  },
  outputs: {
    columns: {
      run_id: 'text',
      path_hash: 'text',
      path: 'text',
      object_id: 'text?',
      version: 'text?',
      reason: 'text?',
    },
    key: ['run_id', 'path_hash'],
  },
};

/** The tables of the first release and an index for every question asked of them. */
export const tables: Migration = {
  name: '0001-tables',
  up: async (db, types) => {
    for (const [name, table] of Object.entries({ ...OF_TENANT, ...OF_PROCESS, ...OF_OBJECT, ...OF_RUN })) {
      await createTable(db, types, name, table);
    }
    await indexObjects(db);
    await indexRuns(db);
    await indexAttributes(db);
    await db.schema.createIndex('keys_hash').unique().on('keys').column('hash').execute();
    await db.schema.createIndex('keys_tenant').on('keys').columns(['tenant', 'created_at', 'id']).execute();
    await db.schema.createIndex('holds_part').on('holds').columns(['tenant', 'part']).execute();
    await db.schema.createIndex('locks_instance').on('locks').column('instance').execute();
    await db.schema.createIndex('agents_lifecycle').on('agents').column('lifecycle').execute();
    const expiring = db.schema.createIndex('agents_expiring').on('agents').column('active_at');
    await expiring.where(sql<boolean>`expires_after is not null`).execute();
  },
};

async function createTable(db: Database, types: ColumnTypes, name: string, table: Table): Promise<void> {
  let builder: CreateTableBuilder<string, string> = db.schema.createTable(name);
  for (const [column, kind] of Object.entries(table.columns)) {
    const type = kind.startsWith('text') ? types.text : types.integer;
    builder = builder.addColumn(column, type, (definition) => {
      if (kind.endsWith('?')) return definition;
      return kind === 'count' ? definition.notNull().defaultTo(0) : definition.notNull();
    });
  }
  await builder
    .addPrimaryKeyConstraint(`${name}_key`, [...table.key])
    .modifyEnd(types.tableEnd)
    .execute();
}

/** Newest first of a tenant, whole or narrowed by one of the columns a list can be filtered by. */
async function indexObjects(db: Database): Promise<void> {
  const newest = ['created_at', 'id'];
  await db.schema
    .createIndex('objects_tenant')
    .on('objects')
    .columns(['tenant', ...newest])
    .execute();
  for (const column of ['user_id', 'agent_id', 'session_id', 'run_id', 'purpose']) {
    const index = db.schema
      .createIndex(`objects_${column}`)
      .on('objects')
      .columns(['tenant', column, ...newest]);
    await index.where(sql<boolean>`${sql.ref(column)} is not null`).execute();
  }
  await db.schema
    .createIndex('contents_orphaned')
    .on('contents')
    .column('tenant')
    .where(sql<boolean>`refs = 0`)
    .execute();
}

/** By how a path begins, for what lies in a directory: a whole path may be too long for an index. */
async function indexAttributes(db: Database): Promise<void> {
  const index = db.schema.createIndex('attributes_place').on('attributes').columns(['tenant', 'part']);
  await index.expression(sql`substr(path, 1, 200)`).column('path_hash').execute();
}

async function indexRuns(db: Database): Promise<void> {
  await db.schema.createIndex('runs_agent').on('runs').columns(['tenant', 'agent', 'id']).execute();
  await db.schema.createIndex('runs_deadline').on('runs').columns(['status', 'deadline_at']).execute();
  const skipped = db.schema.createIndex('outputs_skipped').on('outputs').columns(['run_id', 'path_hash']);
  await skipped.where(sql<boolean>`reason is not null`).execute();
}

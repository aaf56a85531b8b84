import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { inflateRawSync } from 'node:zlib';
import { type ConfinedProcess, startConfined } from '../../src/core/texts/confined-process.ts';
import { openExtractor } from '../../src/core/texts/extractor.ts';
import { openKeptExtractor } from '../../src/core/texts/kept-extractor.ts';
import { TEXT_LIMITS } from '../../src/core/texts/texts.ts';
import { documentFormat } from '../../src/documents/formats.ts';
import { HOSTILE_DOCUMENTS } from '../support/hostile-documents.ts';
import { docxParts, packageOf, paragraph, relations } from '../support/office.ts';
import { linesOnPage, pdfOf } from '../support/pdf.ts';
import { temporaryDirectory } from '../support/tree.ts';
import { until } from '../support/wait.ts';

const LIMITS = { ...TEXT_LIMITS, readMs: 60_000, timeMs: 60_000 };

async function extract(format: string, bytes: Buffer, limits: Partial<typeof LIMITS> = {}) {
  const extractor = openExtractor({ ...LIMITS, ...limits });
  const extraction = await extractor.extract(documentFormat(format), bytes.length, Readable.from([bytes]));
  return extraction.kind === 'text' ? inflateRawSync(extraction.deflated).toString() : extraction;
}

function hostile(name: string): readonly [format: string, bytes: Buffer] {
  const found = HOSTILE_DOCUMENTS.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no hostile document is "${name}"`);
  return [found.format, found.bytes()];
}

function ended(child: Pick<ConfinedProcess, 'once'>): Promise<number | NodeJS.Signals | null> {
  return new Promise((resolve) => child.once('close', (code, signal) => resolve(signal ?? code)));
}

/** What a program does with a heap until something ends it. */
const GREEDY = 'const held = []; for (;;) held.push(held.length + 0.5)';

describe('a thread', () => {
  it('that meets the limit of its heap takes the whole process along: so documents are not read in one', async () => {
    const options = `{ eval: true, resourceLimits: { maxOldGenerationSizeMb: 64 } }`;
    const program = `new (require('node:worker_threads').Worker)(${JSON.stringify(GREEDY)}, ${options}).on('error', () => {})`;
    const child = spawn('/bin/sh', ['-c', 'ulimit -c 0; exec "$0" "$@"', process.execPath, '-e', program], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    expect(await ended(child)).toBe('SIGABRT');
  });
});

describe('a confined process', () => {
  const OF_THE_SHELL = ['PWD', 'OLDPWD', 'SHLVL', '_'];
  const tried = (what: string) =>
    `try { ${what}; said.push('did') } catch (error) { said.push(error.code ?? error.name) }`;

  it('opens no file but the program’s, writes none, starts nothing, and knows no variable', async () => {
    using elsewhere = temporaryDirectory();
    const attempts = [
      `fs.readFileSync('/etc/passwd')`,
      `fs.readdirSync(${JSON.stringify(process.cwd())})`,
      `fs.writeFileSync(${JSON.stringify(`${elsewhere.path}/x`)}, 'x')`,
      `child_process.spawnSync('true')`,
      `new worker_threads.Worker('', { eval: true })`,
      `eval('1')`,
    ].map(tried);
    const program = `const said = []; ${attempts.join('; ')}; console.log(JSON.stringify([said, Object.keys(process.env)]))`;
    const denied = 'ERR_ACCESS_DENIED';
    const child = startConfined(['-e', program], LIMITS);
    const [said, variables] = JSON.parse(await text(child.stdout));
    expect(said).toEqual([denied, denied, denied, denied, denied, 'EvalError']);
    expect(variables.filter((name: string) => !OF_THE_SHELL.includes(name))).toEqual([]);
    const free = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'ignore'] });
    expect(JSON.parse(await text(free.stdout))[0]).toEqual(Array.from({ length: 6 }, () => 'did'));
  });

  it('is ended by the kernel or by Node where it takes too much', async () => {
    const bytes = 'const held = []; for (;;) held.push(Buffer.alloc(1 << 20, 1))';
    const limits = { ...LIMITS, timeMs: 1, heapMiB: 32, memoryMiB: 128 };
    const ends = [GREEDY, bytes, 'for (;;);'].map((program) => ended(startConfined(['-e', program], limits)));
    const [heap, beside, time] = await Promise.all(ends);
    expect(heap).toBe('SIGABRT');
    // It finds no room, and fails like any program.
    expect(beside).not.toBe(0);
    expect(['SIGXCPU', 'SIGKILL']).toContain(time);
  });
});

describe('the keeper of such processes', () => {
  it('takes its documents along when it dies, and another one takes the next', async () => {
    const extractor = openKeptExtractor(LIMITS);
    try {
      const read = (bytes: Buffer) => extractor.extract(documentFormat('html'), bytes.length, Readable.from([bytes]));
      const lost = read(hostile('a million elements inside each other')[1]);
      await until(() => keepers().length === 1, 'a keeper');
      for (const pid of keepers()) process.kill(pid, 'SIGKILL');
      expect(await lost).toMatchObject({ kind: 'failed' });
      expect(await read(Buffer.from('<p>next'))).toMatchObject({ kind: 'text' });
    } finally {
      await extractor.close();
    }
    expect(keepers()).toEqual([]);
    expect(await extractor.extract(documentFormat('html'), 0, Readable.from([]))).toMatchObject({ kind: 'failed' });
  });
});

/** Processes of this one that keep others. */
function keepers(): readonly number[] {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  return children
    .map(Number)
    .filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('extractor-keeper'));
}

describe('the extractor', () => {
  it('gives the text', async () => {
    expect(await extract('pdf', pdfOf([linesOnPage(['a page'])]))).toBe('a page');
  });

  it('ends what takes too long', async () => {
    const [format, bytes] = hostile('a million elements inside each other');
    expect(await extract(format, bytes, { timeMs: 300 })).toEqual({ kind: 'none', reason: 'costly' });
  });

  it('ends what takes too much memory, in the heap or beside it', async () => {
    for (const name of ['a page of a gibibyte of blanks', 'a cell as wide as a billion']) {
      expect(await extract(...hostile(name))).toEqual({ kind: 'none', reason: 'costly' });
    }
  });

  it('gives what there was until the time was over', async () => {
    const [format, bytes] = hostile('a hundred thousand slides that are one');
    const extractor = openExtractor({ ...LIMITS, readMs: 1 });
    const extraction = await extractor.extract(documentFormat(format), bytes.length, Readable.from([bytes]));
    expect(extraction).toMatchObject({ kind: 'text', isWhole: false });
  });

  it('says it is no document’s fault where the bytes do not all come, or it was closed', async () => {
    const extractor = openExtractor(LIMITS);
    const pdf = documentFormat('pdf');
    const broken = Readable.from(
      (async function* () {
        yield Buffer.from('%PDF-1.7');
        throw new Error('the disk failed');
      })(),
    );
    expect(await extractor.extract(pdf, 1000, broken)).toMatchObject({ kind: 'failed' });
    const endless = new Readable({ read: () => undefined });
    const waiting = extractor.extract(pdf, 1000, endless);
    await extractor.close();
    expect(await waiting).toMatchObject({ kind: 'failed' });
    expect(endless.destroyed).toBe(true);
    expect(await extractor.extract(pdf, 0, Readable.from([]))).toMatchObject({ kind: 'failed' });
  });

  it('reads documents that name others without a look at them', async () => {
    let calls = 0;
    const canary = createServer((socket) => {
      calls += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => canary.listen(0, '127.0.0.1', resolve));
    const address = canary.address();
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/x`;
    try {
      for (const [format, bytes] of callers(url)) expect(await extract(format, bytes)).toMatch(/^shown\s*$/);
      expect(calls).toBe(0);
      await fetch(url).catch(() => undefined);
      expect(calls).toBe(1);
    } finally {
      canary.close();
    }
  });
});

/** Documents of each kind with everything in them that makes other programs call an address. */
function callers(url: string): readonly (readonly [format: string, bytes: Buffer])[] {
  const page = `<html><head><link rel=stylesheet href="${url}"><script src="${url}"></script><base href="${url}">
    <meta http-equiv=refresh content="0;url=${url}"></head><body onload="fetch('${url}')"><img src="${url}">
    <iframe src="${url}"></iframe><object data="${url}"></object>shown</body></html>`;
  const actions = [
    `/OpenAction << /S /JavaScript /JS (this.submitForm\\("${url}"\\); app.launchURL\\("${url}"\\)) >>`,
    `/AA << /WC << /S /URI /URI (${url}) >> >> /AcroForm << /XFA (<x href="${url}"/>) /Fields [] >>`,
    `/Names << /JavaScript << /Names [(a) << /S /JavaScript /JS (fetch\\("${url}"\\)) >>] >> >>`,
  ];
  const pdf = pdfOf([linesOnPage(['shown'])], [], actions.join(' '));
  const template = relations(['attachedTemplate', url], ['image', url], ['footnotes', url]);
  const letter = { ...docxParts(paragraph('shown')), 'word/_rels/document.xml.rels': template };
  return [
    ['html', Buffer.from(page)],
    ['pdf', pdf],
    ['docx', packageOf(letter)],
    [
      'docx',
      packageOf({
        ...letter,
        'word/_rels/document.xml.rels': template.replaceAll('Target=', 'TargetMode="External" Target='),
      }),
    ],
  ];
}

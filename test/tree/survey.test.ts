import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { parsePath as p, ROOT } from '../../src/tree/path.ts';
import { openSurvey, type SurveyedDirectory } from '../../src/tree/survey.ts';
import { type TemporaryHome, temporaryHome } from '../support/tree.ts';

function held(home: TemporaryHome, dir = ROOT): SurveyedDirectory {
  const directory = openSurvey(home.hostPath).hold(dir);
  if (directory === null) throw new Error('the directory is there');
  return directory;
}

describe('a survey', () => {
  it('tells names and kinds, any number of them, and can be left early', async () => {
    using home = await temporaryHome(['file: x', 'dir/', 'link => file']);
    execFileSync('mkfifo', [home.at('pipe')]);
    writeFileSync(Buffer.concat([Buffer.from(`${home.hostPath}/`), Buffer.from([0xff])]), '');
    for (let n = 0; n < 300; n++) writeFileSync(home.at(`dir/${n}`), '');
    const root = held(home);
    const names = [...root.names()].map(({ name, kind }) => `${name}: ${kind}`).sort();
    expect(names).toEqual(['dir: directory', 'file: file', 'link: symlink', 'pipe: other', '\udcff: file']);
    for (const { name } of root.names()) expect(name).not.toBe('');
    root.close();
    const dir = held(home, p('dir'));
    expect(new Set([...dir.names()].map(({ name }) => name)).size).toBe(300);
    for (const _ of dir.names()) break;
    dir.close();
  });

  it('opens regular files alone, and never waits', async () => {
    using home = await temporaryHome(['file: content', 'dir/', 'link => file']);
    execFileSync('mkfifo', [home.at('pipe')]);
    const server = createServer().listen(home.at('socket'));
    const root = held(home);
    for (const name of ['dir', 'link', 'pipe', 'socket', 'missing'])
      expect([name, root.open(name)]).toEqual([name, null]);
    const sizes = ['file', 'dir', 'link', 'pipe', 'missing'].map((name) => root.sizeOf(name));
    expect(sizes).toEqual([7, 0, 4, 0, null]);
    const file = root.open('file');
    const bytes = Buffer.alloc(10);
    expect(file?.size).toBe(7);
    expect(file?.read(bytes, 1, 4, 3)).toBe(4);
    expect(bytes.toString('latin1')).toBe('\0tent\0\0\0\0\0');
    expect(file?.read(bytes, 0, 10, 7)).toBe(0);
    file?.close();
    root.close();
    server.close();
  });

  it('gives out nothing once it is closed: its number may be that of another file by then', async () => {
    using home = await temporaryHome(['file: content']);
    const root = held(home);
    const file = root.open('file');
    file?.close();
    file?.close();
    expect(() => file?.read(Buffer.alloc(1), 0, 1, 0)).toThrow('closed');
    root.close();
    expect(() => root.open('file')).toThrow('closed');
    expect(() => [...root.names()]).toThrow('closed');
  });

  it('holds no directory where something else is, and says of one that is too deep that it is', async () => {
    using home = await temporaryHome(['file: x', 'link => .', 'dir/sub/']);
    const { hold } = openSurvey(home.hostPath);
    for (const path of ['file', 'link', 'link/dir', 'missing', 'file/x'])
      expect([path, hold(p(path))]).toEqual([path, null]);
    const deep = p(Array.from({ length: 16 }, () => 'd'.repeat(255)).join('/'));
    expect(() => hold(deep)).toThrow(expect.objectContaining({ code: 'invalid_path' }));
  });
});

// The smallest agent that does something: for each file that arrives in /data it writes a summary to /workspace/output.
// It knows no API and holds no token; files are all it sees.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

const INPUTS = '/data';
const OUTPUTS = '/workspace/output';

async function summarise(name) {
  const hash = createHash('sha256');
  let bytes = 0;
  let lines = 0;
  for await (const chunk of createReadStream(join(INPUTS, name))) {
    hash.update(chunk);
    bytes += chunk.length;
    for (const byte of chunk) lines += byte === 10 ? 1 : 0;
  }
  return `# ${name}\n\n- ${bytes} bytes, ${lines} lines\n- sha256 ${hash.digest('hex')}\n`;
}

async function work() {
  // ENOENT: nothing has been copied in yet.
  const inputs = await readdir(INPUTS, { withFileTypes: true }).catch(() => []);
  for (const { name } of inputs.filter((entry) => entry.isFile())) {
    const output = join(OUTPUTS, `${name}.md`);
    const isDone = await access(output).then(
      () => true,
      () => false,
    );
    if (isDone) continue;
    await mkdir(OUTPUTS, { recursive: true });
    // Written beside and renamed, so that whoever looks sees whole files only.
    await writeFile(join(OUTPUTS, `.${name}.part`), await summarise(name));
    await rename(join(OUTPUTS, `.${name}.part`), output);
    console.log(`wrote ${output}`);
  }
}

// Whatever is half done has a name that nobody takes for an output, so stopping needs no more than this.
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => process.exit(0));
for (;;) {
  await work();
  await setTimeout(500);
}

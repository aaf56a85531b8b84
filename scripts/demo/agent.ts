/**
 * The demo's agent: a process of its own whose whole world is the directory it is started in, as a container's would be
 * with the workspace mounted. It reads what was copied in and writes what it found out.
 */
import { createReadStream } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';

const totals = new Map<string, number>();
for await (const line of createInterface(createReadStream('datasets/sales.csv'))) {
  const [, region = '', units = '', price = ''] = line.split(',');
  const amount = Number(units) * Number(price);
  if (Number.isFinite(amount)) totals.set(region, (totals.get(region) ?? 0) + amount);
}
const contracts = await readdir('contracts', { recursive: true });

await mkdir('out', { recursive: true });
const rows = [...totals].map(([region, amount]) => `| ${region} | ${amount.toFixed(2)} |`);
await writeFile('out/report.md', `# Sales by region\n\n| region | amount |\n| --- | --- |\n${rows.join('\n')}\n`);
await writeFile(
  'out/summary.json',
  JSON.stringify({ contracts: contracts.length, regions: Object.fromEntries(totals) }),
);
console.log(
  `agent ${process.pid} read ${totals.size} regions and ${contracts.length} contracts, wrote out/report.md and out/summary.json`,
);

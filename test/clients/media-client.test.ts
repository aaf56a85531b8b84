import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { SAMPLES } from '../support/media-samples.ts';
import { docxParts, packageOf, paragraph, pptxParts, shape, xlsxParts } from '../support/office.ts';
import { linesOnPage, pdfOf } from '../support/pdf.ts';
import { MediaClient } from './media-client.ts';

const bytesOf = async (blob: Blob) => Buffer.from(await blob.arrayBuffer());
const WORDS = 'Some plain words';
const row = `<row><c t="inlineStr"><is><t>${WORDS}</t></is></c></row>`;
const OFFICE = 'application/vnd.openxmlformats-officedocument';
const DOCUMENTS = {
  pdf: { type: 'application/pdf', bytes: pdfOf([linesOnPage([WORDS])]) },
  docx: { type: `${OFFICE}.wordprocessingml.document`, bytes: packageOf(docxParts(paragraph(WORDS))) },
  xlsx: { type: `${OFFICE}.spreadsheetml.sheet`, bytes: packageOf(xlsxParts([{ name: 'Sheet', rows: row }], [])) },
  pptx: { type: `${OFFICE}.presentationml.presentation`, bytes: packageOf(pptxParts([shape([WORDS])])) },
  html: { type: 'text/html', bytes: Buffer.from(`<!doctype html><p>${WORDS}</p>`) },
  txt: { type: 'text/plain', bytes: Buffer.from(WORDS) },
} as const;
const recording = new Blob([SAMPLES.webm], { type: 'audio/webm;codecs=opus' });

describe.each([
  ['no signed URLs', {}],
  ['signed URLs', { MEDIA_SIGNED_URLS: 'true' }],
])('a client of the media API, with %s', (_name, env) => {
  let daemon: TestDaemon;
  let client: MediaClient;
  beforeAll(async () => {
    daemon = await startTestDaemon({ env });
    client = new MediaClient({ baseUrl: `${daemon.url}/media`, token: daemon.token({ tenant: 'acme' }) });
  });
  afterAll(() => daemon.close());

  it('learns what is taken before it uploads', async () => {
    expect(await client.config()).toEqual({
      media_storage_type: 'local',
      media_storage_path: 'objects',
      media_max_size_mb: 10,
      document_handling: 'extract',
    });
    await expect(client.upload(new Blob([Buffer.alloc(10 * 1024 * 1024 + 1)]))).rejects.toMatchObject({ status: 413 });
  });

  it('uploads a file and finds it again by every way there is', async () => {
    const file = await client.upload(new File([SAMPLES.png], 'photo.png', { type: 'image/png' }));
    expect(file).toMatchObject({ mime_type: 'image/png', filename: 'photo.png', size_bytes: SAMPLES.png.length });
    const downloaded = await client.download(file.file_id);
    expect(downloaded.type).toBe('image/png');
    const { url, mime_type } = await client.url(file.file_id);
    expect(mime_type).toBe('image/png');
    const ways = [downloaded, await client.follow(file.url), await client.follow(url)];
    if (file.direct_url !== null) ways.push(await client.follow(file.direct_url));
    for (const way of ways) expect((await bytesOf(way)).equals(SAMPLES.png)).toBe(true);
    expect(await client.info(file.file_id)).toMatchObject({ file_id: file.file_id, filename: 'photo.png' });
  });

  it('uploads a bare Blob, whose type decides what the container is', async () => {
    const file = await client.upload(recording);
    expect(file).toMatchObject({ mime_type: 'audio/webm', filename: 'upload', extracted_text: null });
    expect((await client.download(file.file_id)).type).toBe('audio/webm');
  });

  it('gets the text of a Blob that says it is Markdown', async () => {
    const { extracted_text } = await client.upload(new Blob(['# Title\n'], { type: 'text/markdown' }));
    expect(extracted_text).toBe('# Title\n');
  });

  it('is told in one sentence what is wrong', async () => {
    await expect(client.upload(new Blob([]))).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining('empty'),
    });
    await expect(client.info('file_0')).rejects.toMatchObject({ status: 404, message: 'no file has this id' });
  });
});

describe('the text of a document', () => {
  let daemon: TestDaemon;
  let client: MediaClient;
  beforeAll(async () => {
    daemon = await startTestDaemon();
    client = new MediaClient({ baseUrl: `${daemon.url}/media`, token: daemon.token({ tenant: 'acme' }) });
  });
  afterAll(() => daemon.close());

  it.each(Object.entries(DOCUMENTS))(
    'comes with a %s, by its name or as a bare Blob of its type',
    async (ending, document) => {
      const { type, bytes } = document;
      const named = await client.upload(new File([new Uint8Array(bytes)], `report.${ending}`));
      expect(named).toMatchObject({ mime_type: type, extracted_text: expect.stringContaining(WORDS) });
      const bare = await client.upload(new Blob([new Uint8Array(bytes)], { type }));
      expect(bare).toMatchObject({ mime_type: type, filename: 'upload', extracted_text: named.extracted_text });
      expect((await client.info(bare.file_id)).extracted_text).toBe(named.extracted_text);
    },
  );

  it('is null for one that is cut off, which is kept all the same', async () => {
    const { bytes } = DOCUMENTS.docx;
    const half = new Uint8Array(bytes.subarray(0, bytes.length / 2));
    const file = await client.upload(new File([half], 'half.docx'));
    expect(file).toMatchObject({ extracted_text: null, size_bytes: half.length });
    expect((await bytesOf(await client.download(file.file_id))).equals(half)).toBe(true);
  });
});

import { isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import ipaddr from 'ipaddr.js';
import { isPublicAddress } from '../../src/web/public-address.ts';

/** The first and the last of every range that is not the internet's, and what lies right beside. */
const INSIDE_IPV4 = `
  0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 127.0.0.1 127.255.255.255 169.254.0.0 169.254.169.254
  169.254.255.255 172.16.0.0 172.31.255.255 192.0.0.0 192.0.0.192 192.0.2.1 192.168.0.0 192.168.255.255 192.88.99.1 198.18.0.0
  198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.0 255.255.255.254 255.255.255.255
  168.63.129.16 192.31.196.1 192.52.193.1 192.175.48.1`;
const OUTSIDE_IPV4 = `
  1.0.0.0 1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0
  172.15.255.255 172.32.0.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255 93.184.215.14`;
const INSIDE_IPV6 = `
  :: ::1 ::ffff:0:0 ::127.0.0.1 ::7f00:1 64:ff9b:1::1 64:ff9b:1::808:808 100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2
  2001:2::1 2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1:: 2002:808:808::1 3fff::1 3fff:fff:ffff::1 4000::1 5f00::1 8000::1
  fc00::1 fd00:ec2::254 fdff:ffff::1 fe80::1 fe80::1%eth0 febf::1 fec0::1 ff02::1 ff0e::1 ::ffff:0:127.0.0.1`;
const OUTSIDE_IPV6 = '2606:4700:4700::1111 2a00:1450:4001::1 2620:fe::fe 2400:cb00::1';
const words = (text: string) => text.trim().split(/\s+/);

describe('the addresses of the public internet', () => {
  it.each(words(INSIDE_IPV4))('do not include %s, in no form that stands for it', (address) => {
    const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
    const hex = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
    const forms = [
      address,
      `::ffff:${address}`,
      `::ffff:${hex}`,
      `64:ff9b::${address}`,
      `64:ff9b::${hex}`,
      `2002:${hex}::1`,
    ];
    expect(forms.filter((form) => isPublicAddress(form))).toEqual([]);
  });

  it.each(words(INSIDE_IPV6))('do not include %s', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  it.each([...words(OUTSIDE_IPV4), ...words(OUTSIDE_IPV6)])('include %s', (address) => {
    expect(isPublicAddress(address)).toBe(true);
    if (isIPv4(address)) expect(isPublicAddress(`::ffff:${address}`)).toBe(true);
    if (isIPv4(address)) expect(isPublicAddress(`64:ff9b::${address}`)).toBe(true);
  });

  it('do not include what is no address, nor any of this machine', () => {
    for (const text of [
      '',
      'localhost',
      'files.example',
      '1.1.1',
      '1.1.1.1/32',
      '256.1.1.1',
      '010.8.8.8',
      '0x08080808',
      '134744072',
      '[::1]',
      '1.1.1.1 ',
    ]) {
      expect([text, isPublicAddress(text)]).toEqual([text, false]);
    }
    const own = ['127.0.0.1', '1.1.1.1', '2606:4700:4700::1111', 'fe80::1%eth0'];
    const forms = ['1.1.1.1', '::ffff:1.1.1.1', '64:ff9b::101:101', '2606:4700:4700:0:0:0:0:1111'];
    for (const address of forms) {
      expect([address, isPublicAddress(address, []), isPublicAddress(address, own)]).toEqual([address, true, false]);
    }
    const here = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
    expect(here.length).toBeGreaterThan(0);
    expect(here.filter(({ address }) => isPublicAddress(address))).toEqual([]);
  });

  it('are guarded by more than the names of ranges: some of what is inside has none', () => {
    const unnamed = words(INSIDE_IPV6).filter(
      (address) => ipaddr.isValid(address) && ipaddr.parse(address).range() === 'unicast',
    );
    expect(unnamed).toContain('::7f00:1');
    expect(unnamed).toContain('4000::1');
  });
});

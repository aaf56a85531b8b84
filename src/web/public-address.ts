import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import ipaddr from 'ipaddr.js';

type Address = ReturnType<typeof ipaddr.process>;

// What is handed out for the whole of the internet; anything else of IPv6 is special, or not assigned yet.
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');
// The well-known prefix under which a network with IPv6 alone reaches IPv4.
const NAT64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96');
// Azure answers every guest here, with what is meant for that guest, on an address that looks like any other.
const AZURE_HOST = '168.63.129.16';

/**
 * True for an address that strangers may be sent to: of the public internet, and not this machine's own. An IPv6 address that
 * only stands for one of IPv4 is judged as that one. What is no address is not public.
 * @param own this machine's: by its public address it reaches its own ports past every firewall that stands in front of it
 */
export function isPublicAddress(text: string, own: readonly string[] = ownAddresses()): boolean {
  // The library also reads addresses of three numbers and of octal ones, which a connection would take for names. A zone
  // chooses an interface of this machine, and such an address is never public.
  if (isIP(text) === 0 || text.includes('%')) return false;
  const address = meant(ipaddr.process(text));
  return isOfTheInternet(address) && !own.some((one) => isSame(one, address));
}

/** The IPv4 address behind one of NAT64; every other as it is. */
function meant(address: Address): Address {
  if (address instanceof ipaddr.IPv4 || !address.match(NAT64)) return address;
  return ipaddr.fromByteArray(address.toByteArray().slice(-4));
}

function isOfTheInternet(address: Address): boolean {
  if (address.range() !== 'unicast') return false;
  if (address instanceof ipaddr.IPv4) return address.toString() !== AZURE_HOST;
  return address.match(GLOBAL_UNICAST);
}

function ownAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((addresses) => addresses?.map(({ address }) => address) ?? []);
}

function isSame(text: string, address: Address): boolean {
  return ipaddr.process(text).toNormalizedString() === address.toNormalizedString();
}

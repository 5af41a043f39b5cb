//! Which addresses a plugin's request may go to.
//!
//! The ranges are those of IANA's special-purpose registries for IPv4 and IPv6. What they call globally reachable is
//! [`Reach::Global`]; whatever the tables here don't name is as well in IPv4, and never in IPv6 outside 2000::/3.
//!
//! [`Reach::Never`] has what no grant can open: addresses that name no single host, that only work on one link (the
//! metadata service of most clouds is there), that are for documentation, and that wrap an IPv4 address so that it isn't
//! plain where a packet ends. Some clouds have their metadata service at another address; those are in [`METADATA`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What it takes to send something to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Global,
    /// The host's own networks: needs `private=yes`.
    Private,
    Never,
}

/// Metadata services that are within ranges which are otherwise allowed: of Alibaba, Azure and AWS.
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

const PRIVATE_V4: [([u8; 4], u32); 6] = [
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10), // carrier-grade NAT
    ([127, 0, 0, 0], 8),
    ([172, 16, 0, 0], 12),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15), // benchmarks between networks
];

const NEVER_V4: [([u8; 4], u32); 9] = [
    ([0, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16), // link-local
    ([192, 0, 0, 0], 24),   // protocol assignments
    ([192, 0, 2, 0], 24),   // documentation
    ([192, 88, 99, 0], 24), // relays of 6to4
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4), // multicast
    ([240, 0, 0, 0], 4), // reserved, broadcast
];

const PRIVATE_V6: [([u16; 3], u32); 1] = [([0xfc00, 0, 0], 7)];

/// Within 2000::/3; everything outside is never reached anyway.
const NEVER_V6: [([u16; 3], u32); 4] = [
    ([0x2001, 0, 0], 23), // protocol assignments, Teredo among them
    ([0x2001, 0xdb8, 0], 32),
    ([0x2002, 0, 0], 16), // 6to4
    ([0x3fff, 0, 0], 20), // documentation
];

impl Reach {
    /// Judges an address; an IPv4 address that is mapped into IPv6, or that NAT64 translates, as that address.
    pub(super) fn of(address: IpAddr) -> Self {
        if METADATA.contains(&address) {
            return Self::Never;
        }
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        let within = |networks: &[([u8; 4], u32)]| {
            let bits = |bytes, prefix| u32::from_be_bytes(bytes) >> (32 - prefix);
            networks.iter().any(|(network, prefix)| bits(*network, *prefix) == bits(address.octets(), *prefix))
        };
        if within(&NEVER_V4) {
            Self::Never
        } else if within(&PRIVATE_V4) {
            Self::Private
        } else {
            Self::Global
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        let embedded = || {
            let [.., a, b, c, d] = address.octets();
            Self::of(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
        };
        let within = |networks: &[([u16; 3], u32)]| {
            let bits =
                |[a, b, c]: [u16; 3], prefix| (u64::from(a) << 32 | u64::from(b) << 16 | u64::from(c)) >> (48 - prefix);
            let [a, b, c, ..] = address.segments();
            networks.iter().any(|(network, prefix)| bits(*network, *prefix) == bits([a, b, c], *prefix))
        };
        match address.segments() {
            _ if address.is_loopback() => Self::Private,
            // Mapped, and the translated addresses that DNS64 makes up for every name in a network without IPv4.
            [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => embedded(),
            // ISATAP puts an IPv4 address behind any prefix.
            [_, _, _, _, 0 | 0x200, 0x5efe, ..] => Self::Never,
            _ if within(&PRIVATE_V6) => Self::Private,
            [0x2000..=0x3fff, ..] if !within(&NEVER_V6) => Self::Global,
            _ => Self::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(reach: Reach, addresses: &[&str]) {
        for address in addresses {
            assert_eq!(Reach::of(address.parse().expect("an address")), reach, "{address}");
        }
    }

    #[test]
    fn the_internet_is_global_up_to_its_edges() {
        check(
            Reach::Global,
            &[
                "1.0.0.0",
                "1.1.1.1",
                "9.255.255.255",
                "11.0.0.0",
                "100.63.255.255",
                "100.128.0.0",
                "126.255.255.255",
                "128.0.0.0",
                "169.253.255.255",
                "169.255.0.0",
                "172.15.255.255",
                "172.32.0.0",
                "192.0.1.0",
                "192.167.255.255",
                "192.169.0.0",
                "198.17.255.255",
                "198.20.0.0",
                "223.255.255.255",
                "168.63.129.15",
                "2000::",
                "2001:200::",
                "2001:db7::1",
                "2001:db9::1",
                "2003::1",
                "2606:4700::1111",
                "3ffe::1",
                "3fff:1000::1",
                "::ffff:1.1.1.1",
                "64:ff9b::1.1.1.1",
            ],
        );
    }

    #[test]
    fn the_hosts_own_networks_are_private() {
        check(
            Reach::Private,
            &[
                "10.0.0.0",
                "10.255.255.255",
                "100.64.0.0",
                "100.127.255.255",
                "127.0.0.1",
                "127.255.255.255",
                "172.16.0.0",
                "172.31.255.255",
                "192.168.0.0",
                "192.168.255.255",
                "198.18.0.0",
                "198.19.255.255",
                "::1",
                "fc00::",
                "fd12:3456::1",
                "fdff:ffff::1",
                // As the address within.
                "::ffff:127.0.0.1",
                "::ffff:10.0.0.1",
                "::ffff:7f00:1",
                "64:ff9b::10.0.0.1",
                "64:ff9b::7f00:1",
            ],
        );
    }

    #[test]
    fn some_addresses_are_never_reached() {
        check(
            Reach::Never,
            &[
                // This network, link-local, protocol assignments, documentation, multicast, reserved, broadcast.
                "0.0.0.0",
                "0.0.0.1",
                "0.255.255.255",
                "169.254.0.0",
                "169.254.169.254",
                "169.254.170.2",
                "169.254.255.255",
                "192.0.0.0",
                "192.0.0.192",
                "192.0.2.1",
                "192.88.99.1",
                "198.51.100.1",
                "203.0.113.1",
                "224.0.0.1",
                "239.255.255.255",
                "240.0.0.1",
                "255.255.255.254",
                "255.255.255.255",
                // Metadata services elsewhere.
                "100.100.100.200",
                "168.63.129.16",
                "fd00:ec2::254",
                // The same behind a mapping or a translation.
                "::ffff:169.254.169.254",
                "::ffff:0.0.0.0",
                "::ffff:100.100.100.200",
                "::ffff:168.63.129.16",
                "64:ff9b::169.254.169.254",
                "64:ff9b::a9fe:a9fe",
                // Unspecified, compatible, translated locally, discard only, dummy, segment routing.
                "::",
                "::7f00:1",
                "::127.0.0.1",
                "::10.0.0.1",
                "::1.1.1.1",
                "64:ff9b:1::1",
                "64:ff9b:1::10.0.0.1",
                "64:ff9b::1:7f00:1",
                "::ffff:0:127.0.0.1",
                "100::1",
                "100:0:0:1::1",
                "5f00::1",
                // Teredo, ORCHID, benchmarks, documentation, 6to4 around 10.0.0.1, 127.0.0.1 and a global address.
                "2001::1",
                "2001:0:a00:1::1",
                "2001:10::1",
                "2001:20::1",
                "2001:2::1",
                "2001:1ff::1",
                "2001:db8::1",
                "2002:a00:1::",
                "2002:7f00:1::1",
                "2002:101:101::1",
                "3fff::1",
                "3fff:fff::1",
                // ISATAP around 10.0.0.1, link-local, site-local, multicast, not assigned.
                "2606:4700::5efe:10.0.0.1",
                "2606:4700::200:5efe:10.0.0.1",
                "fe80::1",
                "fe80::a9fe:a9fe",
                "febf::1",
                "fec0::1",
                "ff02::1",
                "ff0e::1",
                "4000::1",
                "fe00::1",
            ],
        );
    }
}

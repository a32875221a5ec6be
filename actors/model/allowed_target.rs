//! Hosts and networks that an operator lets requests go to.

use super::host_pattern::HostPattern;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt;

/// A host, every host below one, an address or a network: `api.internal.example.com`,
/// `*.internal.example.com`, `127.0.0.1`, `10.20.0.0/16`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedTarget {
    /// By name, wherever the name leads.
    Host(HostPattern),
    /// By address.
    Network {
        /// Any address of the network.
        address: IpAddr,
        /// How many of its bits all addresses of the network share.
        prefix: u32,
    },
}

/// The text is neither a host nor a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a host name such as api.example.com, *.example.com for all below it, an address, or a network such as \
     10.20.0.0/16"
)]
pub struct AllowedTargetError;

impl AllowedTarget {
    /// Reads a target.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, AllowedTargetError> {
        if let Some((address, prefix)) = text.split_once('/') {
            let address: IpAddr = address.parse().map_err(|_| AllowedTargetError)?;
            let prefix = prefix.parse().ok().filter(|prefix| *prefix <= bits_of(address));
            return Ok(Self::Network { address, prefix: prefix.ok_or(AllowedTargetError)? });
        }
        match address_of(text) {
            Some(address) => Ok(Self::Network { address, prefix: bits_of(address) }),
            None => HostPattern::parse(text).map(Self::Host).map_err(|_| AllowedTargetError),
        }
    }

    /// Whether it means `host`, which is written as in a URL: by its name, or as an address.
    #[must_use]
    pub fn names(&self, host: &str) -> bool {
        match self {
            Self::Host(pattern) => pattern.matches(host),
            Self::Network { .. } => address_of(host).is_some_and(|address| self.contains(address)),
        }
    }

    /// Whether it is a network with `address` in it, in whichever spelling.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let Self::Network { address: network, prefix } = self else { return false };
        match (network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let beyond = (u32::from(*network) ^ u32::from(address)).checked_shr(32 - prefix);
                beyond.unwrap_or_default() == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let beyond = (u128::from(*network) ^ u128::from(address)).checked_shr(128 - prefix);
                beyond.unwrap_or_default() == 0
            }
            _ => false,
        }
    }
}

impl fmt::Display for AllowedTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(pattern) => write!(f, "{pattern}"),
            Self::Network { address, prefix } if *prefix == bits_of(*address) => write!(f, "{address}"),
            Self::Network { address, prefix } => write!(f, "{address}/{prefix}"),
        }
    }
}

fn address_of(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|inside| inside.strip_suffix(']'));
    match bare {
        Some(address) => address.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    }
}

const fn bits_of(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => Ipv4Addr::BITS,
        IpAddr::V6(_) => Ipv6Addr::BITS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> AllowedTarget {
        AllowedTarget::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_network_holds_its_addresses_in_every_spelling() {
        for (network, address, is_in) in [
            ("10.20.0.0/16", "10.20.255.255", true),
            ("10.20.0.0/16", "::ffff:10.20.0.1", true),
            ("10.20.0.0/16", "10.21.0.0", false),
            ("10.20.0.0/16", "::10.20.0.1", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("fd00::/8", "fdff::1", true),
            ("fd00::/8", "fe00::1", false),
            ("[::1]", "::1", true),
            ("::1", "::2", false),
            ("::/0", "fe80::1", true),
        ] {
            assert_eq!(target(network).contains(address.parse().unwrap()), is_in, "{network} {address}");
        }
    }

    #[test]
    fn a_host_is_meant_by_name_or_as_an_address() {
        for (text, host, is_meant) in [
            ("api.example.com", "api.example.com", true),
            ("*.example.com", "api.example.com", true),
            ("*.example.com", "example.com", false),
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "api.example.com", false),
            ("::1", "[::1]", true),
            ("localhost", "localhost", true),
            ("localhost", "127.0.0.1", false),
        ] {
            assert_eq!(target(text).names(host), is_meant, "{text} {host}");
        }
        assert!(!target("localhost").contains("127.0.0.1".parse().unwrap()), "the name is what was allowed");
    }

    #[test]
    fn what_is_neither_is_refused() {
        for text in [
            "",
            "*",
            "10.0.0.0/33",
            "10.0.0.0/x",
            "10.0.0.0/-1",
            "a.com/8",
            "https://a.com",
            "a.com:443",
            "::/129",
            "[10.0.0.1]",
        ] {
            assert_eq!(AllowedTarget::parse(text), Err(AllowedTargetError), "{text}");
        }
        for text in ["10.0.0.0/8", "10.0.0.1", "::1", "*.example.com"] {
            assert_eq!(target(text).to_string(), text);
        }
    }
}

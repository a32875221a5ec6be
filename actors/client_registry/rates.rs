//! How fast clients may register.
//!
//! Anybody may register, without a word of who they are, and every registration costs memory for a
//! day. So there is a rate in all, under which a flood that never ends fills the registry not even
//! up to its limit, because as many are dropped meanwhile: who comes when the flood has stopped
//! finds room at once. And there is a rate for each address, so that one address alone cannot use
//! up what there is for all. It is generous, since everybody at a hosted client, or in an office,
//! comes from the same few addresses, and does not apply to addresses that the internet does not
//! know: behind one of those may be a proxy with everybody behind it that was not configured as
//! trusted, and who floods from the network of the house is found otherwise.
//!
//! Clients of the configuration do not register, so nothing of this applies to them.

use crate::model::timestamp::Timestamp;
// Addresses as values; the sockets are elsewhere.
use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::collections::HashMap;
use std::time::Duration;

/// In all: a day of it, after which unused clients are dropped, is less than the daemon's limit.
const IN_ALL: Rate = Rate { interval: Duration::from_secs(1), burst: 1_000 };
/// For each address.
const PER_PEER: Rate = Rate { interval: Duration::from_secs(6), burst: 100 };

/// So many at once, and then one in each interval.
#[derive(Clone, Copy, Debug)]
struct Rate {
    interval: Duration,
    burst: u32,
}

/// A bucket of tokens, of which one is enough: when it will be full again.
#[derive(Clone, Copy, Debug)]
struct Bucket(Timestamp);

/// The buckets: one for all, and one for each address that is not full.
#[derive(Debug)]
pub(super) struct RegistrationRates {
    in_all: Bucket,
    peers: HashMap<IpAddr, Bucket>,
}

impl Default for RegistrationRates {
    fn default() -> Self {
        Self { in_all: Bucket::FULL, peers: HashMap::new() }
    }
}

impl RegistrationRates {
    /// Counts one registration from `peer`, or refuses it without counting.
    ///
    /// # Errors
    /// How long to wait for the next.
    pub(super) fn count(&mut self, peer: &str, now: Timestamp) -> Result<(), Duration> {
        let peer = countable(peer);
        let own = peer.and_then(|peer| self.peers.get(&peer)).copied().unwrap_or(Bucket::FULL);
        let (in_all, own) = (self.in_all.less_one(IN_ALL, now), own.less_one(PER_PEER, now));
        match (in_all, own, peer) {
            (Ok(in_all), _, None) => self.in_all = in_all,
            (Ok(in_all), Ok(own), Some(peer)) => {
                self.in_all = in_all;
                // No faster than the rate in all, and swept: there are never many.
                self.peers.insert(peer, own);
            }
            (Err(wait), _, None) => return Err(wait),
            (in_all, own, Some(_)) => return Err(in_all.err().max(own.err()).unwrap_or_default()),
        }
        Ok(())
    }

    /// Drops buckets that are full again.
    pub(super) fn sweep(&mut self, now: Timestamp) {
        self.peers.retain(|_, bucket| bucket.0 > now);
    }
}

impl Bucket {
    const FULL: Self = Self(Timestamp::from_micros(i64::MIN));

    /// The bucket after one token was taken, or how long until there is one.
    fn less_one(self, rate: Rate, now: Timestamp) -> Result<Self, Duration> {
        let full_at = self.0.max(now) + rate.interval;
        let excess = full_at.since(now).saturating_sub(rate.interval.saturating_mul(rate.burst));
        // Whole seconds, which is how they are told.
        let wait = Duration::from_secs(excess.as_micros().div_ceil(1_000_000).try_into().unwrap_or(u64::MAX));
        if wait.is_zero() { Ok(Self(full_at)) } else { Err(wait) }
    }
}

/// The address that is counted by: of IPv6 the network, of which everybody has a whole one. `None`
/// for what is no address of the internet.
fn countable(peer: &str) -> Option<IpAddr> {
    // Some proxies note the port as well.
    let address = peer.parse().or_else(|_| peer.parse().map(|address: SocketAddr| address.ip())).ok()?;
    match IpAddr::to_canonical(&address) {
        IpAddr::V4(address) => {
            // 100.64/10 is shared by the customers of a provider (RFC 6598).
            let is_shared = matches!(address.octets(), [100, 64..=127, ..]);
            let is_inside = address.is_loopback() || address.is_private() || address.is_link_local();
            (!is_shared && !is_inside && !address.is_unspecified()).then_some(IpAddr::V4(address))
        }
        IpAddr::V6(address) => {
            let is_inside = address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local();
            let [a, b, c, d, ..] = address.segments();
            let network = Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0);
            (!is_inside && !address.is_unspecified()).then_some(IpAddr::V6(network))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000_000);

    /// How many of `count` registrations at once get through.
    fn let_through(rates: &mut RegistrationRates, peer: &str, count: usize, now: Timestamp) -> usize {
        (0..count).filter(|_| rates.count(peer, now).is_ok()).count()
    }

    #[test]
    fn an_address_has_a_burst_and_then_a_rate() {
        let mut rates = RegistrationRates::default();
        assert_eq!(let_through(&mut rates, "203.0.113.7", 150, NOW), 100);
        assert_eq!(rates.count("203.0.113.7", NOW), Err(Duration::from_secs(6)));
        assert_eq!(rates.count("203.0.113.8", NOW), Ok(()), "another address has its own");
        let later = NOW + Duration::from_secs(60);
        assert_eq!(let_through(&mut rates, "203.0.113.7", 150, later), 10);
        let much_later = NOW + Duration::from_secs(10_000);
        assert_eq!(let_through(&mut rates, "203.0.113.7", 150, much_later), 100);
    }

    #[test]
    fn what_is_refused_is_not_counted() {
        let mut rates = RegistrationRates::default();
        assert_eq!(let_through(&mut rates, "203.0.113.7", 100_000, NOW), 100);
        assert_eq!(let_through(&mut rates, "203.0.113.7", 1, NOW + Duration::from_secs(6)), 1);
        assert_eq!(let_through(&mut rates, "10.0.0.1", 2_000, NOW), 900 - 1);
        assert_eq!(rates.peers.len(), 1);
    }

    #[test]
    fn a_flood_from_everywhere_stays_under_the_limit_of_the_registry() {
        let mut rates = RegistrationRates::default();
        let day = 24 * 60 * 60;
        let registered: usize = (0..=day)
            .map(|second| {
                let address = Ipv6Addr::from_bits((0x2001_0db8 << 96) | (u128::from(second) << 64) | 1);
                let now = NOW + Duration::from_secs(second);
                let_through(&mut rates, &address.to_string(), 20, now)
            })
            .sum();
        assert!(registered < 100_000, "{registered}");
        rates.sweep(NOW + Duration::from_secs(day));
        assert!(rates.peers.len() < 1_000, "{}", rates.peers.len());
    }

    #[test]
    fn addresses_are_counted_by_who_has_them() {
        let same = |one: &str, other: &str| countable(one).is_some() && countable(one) == countable(other);
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(same("203.0.113.7", "::ffff:203.0.113.7"));
        assert!(same("203.0.113.7", "203.0.113.7:4711"));
        assert!(same("2001:db8::1", "[2001:db8::1]:4711"));
        for inside in ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.1.1", "100.64.0.1", "0.0.0.0"] {
            assert_eq!(countable(inside), None, "{inside}");
            assert_eq!(countable(&format!("::ffff:{inside}")), None, "{inside}");
        }
        for inside in ["::1", "::", "fd00::1", "fe80::1", "", "unknown", "_hidden"] {
            assert_eq!(countable(inside), None, "{inside}");
        }
    }
}

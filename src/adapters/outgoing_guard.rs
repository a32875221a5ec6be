//! Keeps requests to URLs that strangers choose away from this machine and its network.
//!
//! Whoever may name a URL that the server then asks could otherwise reach what only the server
//! reaches: its own ports, its neighbours, the metadata service of its cloud (server-side request
//! forgery). A name is resolved once, here; what it leads to is filtered, and the connection goes to
//! what is left, so that a name cannot lead elsewhere a moment later.
//!
//! Behind a proxy of the environment (`HTTPS_PROXY`) it is the proxy that resolves names and
//! connects. Of a request through it only hosts that are written as addresses are checked here, and
//! the rest is for the proxy's rules; requests that `NO_PROXY` exempts are guarded as without one.

use mxcp_actors::model::allowed_target::AllowedTarget;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use url::{Host, Url};

/// The variables that name proxies.
const PROXY_VARIABLES: [&str; 6] = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// Networks that are not the public internet (RFC 6890), each with the length of its prefix.
const FORBIDDEN_V4: [(Ipv4Addr, u32); 15] = [
    // This network.
    (Ipv4Addr::UNSPECIFIED, 8),
    // Private networks, and that of carriers.
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    // Link-local, where clouds have their metadata services; one has it at a public address.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    // Protocols, relays, benchmarks.
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    // Documentation.
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast, and the reserved rest.
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// The host of a request leads to no address that may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the host has no address that this server may ask for others")]
pub struct ForbiddenAddress;

/// Says which addresses may be asked. Cheap to clone.
#[derive(Clone)]
pub struct OutgoingGuard {
    allows_loopback: bool,
    /// What the operator lets requests go to besides the public internet.
    allowed: Arc<[AllowedTarget]>,
    names: Arc<dyn Resolve>,
    /// The hosts of the proxies: they may be anywhere, and nobody else may send requests to them.
    proxies: Arc<[String]>,
}

impl fmt::Debug for OutgoingGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { allows_loopback, allowed, proxies, .. } = self;
        f.debug_struct("OutgoingGuard")
            .field("allows_loopback", allows_loopback)
            .field("allowed", allowed)
            .field("proxies", proxies)
            .finish_non_exhaustive()
    }
}

impl OutgoingGuard {
    /// Lets requests go to the public internet only; with `allows_loopback` also to this machine,
    /// which is for servers that serve nobody else.
    #[must_use]
    pub fn new(allows_loopback: bool) -> Self {
        let named = PROXY_VARIABLES.iter().filter_map(|name| std::env::var(name).ok());
        let hosts = named.filter_map(|proxy| host_of_proxy(&proxy));
        // Where this machine may be asked, a proxy on it is no reason to ask it for less.
        let is_special = |host: &String| !(allows_loopback && host == "localhost");
        let proxies = hosts.filter(is_special).collect();
        Self { allows_loopback, allowed: Arc::new([]), names: Arc::new(SystemNames), proxies }
    }

    /// The same with further targets, which an operator has named.
    #[must_use]
    pub fn with_allowed(self, allowed: Arc<[AllowedTarget]>) -> Self {
        Self { allowed, ..self }
    }

    /// The same with other names.
    #[must_use]
    pub fn with_names(self, names: Arc<dyn Resolve>) -> Self {
        Self { names, ..self }
    }

    /// Whether `address` may be asked.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        if self.allowed.iter().any(|target| target.contains(address)) {
            return true;
        }
        match address {
            IpAddr::V4(address) => self.allows_v4(address),
            IpAddr::V6(address) => self.allows_v6(address),
        }
    }

    /// Whether a request to `url` may begin. What its name leads to is checked when it is resolved.
    #[must_use]
    pub fn allows_url(&self, url: &Url) -> bool {
        match url.host() {
            Some(Host::Ipv4(address)) => self.allows(address.into()),
            Some(Host::Ipv6(address)) => self.allows(address.into()),
            Some(Host::Domain(name)) => !self.proxies.iter().any(|proxy| proxy == name),
            None => false,
        }
    }

    /// Resolves names to addresses that may be asked.
    #[must_use]
    pub fn resolver(&self) -> Arc<GuardedNames> {
        Arc::new(GuardedNames(self.clone()))
    }

    /// Whether the operator has named this host, so that its addresses do not matter.
    fn is_named(&self, host: &str) -> bool {
        self.allowed.iter().any(|target| target.names(host))
    }

    fn allows_v4(&self, address: Ipv4Addr) -> bool {
        if address.is_loopback() {
            return self.allows_loopback;
        }
        let bits = u32::from(address);
        let is_in = |(net, length): &(Ipv4Addr, u32)| (bits ^ u32::from(*net)) >> (32 - length) == 0;
        !FORBIDDEN_V4.iter().any(is_in)
    }

    fn allows_v6(&self, address: Ipv6Addr) -> bool {
        if address == Ipv6Addr::LOCALHOST {
            return self.allows_loopback;
        }
        let v4 = |high: u16, low: u16| self.allows_v4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
        match address.segments() {
            // Another spelling of an IPv4 address: mapped (RFC 4291), through NAT64 (RFC 6052), 6to4.
            [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
                v4(high, low)
            }
            // Protocols such as Teredo, and documentation.
            [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
            // Everything else outside of global unicast is local, multicast or not in use.
            [first, ..] => (0x2000..=0x3fff).contains(&first),
        }
    }
}

/// The host of a proxy, which may be written without a scheme.
fn host_of_proxy(text: &str) -> Option<String> {
    let url = if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("http://{text}")) };
    url.ok()?.host_str().map(str::to_ascii_lowercase)
}

/// Names as the operating system resolves them.
struct SystemNames;

impl Resolve for SystemNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port is replaced by that of the request.
            let addresses = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(Box::new(addresses.collect::<Vec<_>>().into_iter()) as Addrs)
        })
    }
}

/// Names of which only those addresses are left that may be asked.
#[derive(Debug)]
pub struct GuardedNames(OutgoingGuard);

impl Resolve for GuardedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0.clone();
        // A request to the host itself was refused before, so this is the way through the proxy.
        let is_proxy = guard.proxies.iter().any(|proxy| proxy.eq_ignore_ascii_case(name.as_str()));
        let is_free = is_proxy || guard.is_named(&name.as_str().to_ascii_lowercase());
        Box::pin(async move {
            let addresses = guard.names.resolve(name).await?;
            let is_allowed = |address: &SocketAddr| is_free || guard.allows(address.ip());
            let allowed: Vec<SocketAddr> = addresses.filter(is_allowed).collect();
            if allowed.is_empty() {
                return Err(ForbiddenAddress.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn guard(allows_loopback: bool) -> OutgoingGuard {
        OutgoingGuard { proxies: Arc::new([]), ..OutgoingGuard::new(allows_loopback) }
    }

    fn allows(guard: &OutgoingGuard, address: &str) -> bool {
        guard.allows(address.parse().unwrap_or_else(|error| panic!("{address}: {error}")))
    }

    const PUBLIC: [&str; 10] = [
        "1.1.1.1",
        "93.184.216.34",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.0.1",
        "172.32.0.1",
        "223.255.255.255",
        "2606:4700:4700::1111",
        "64:ff9b::1.1.1.1",
        "::ffff:1.1.1.1",
    ];

    const PRIVATE: [&str; 45] = [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.100.100.200",
        "100.127.255.255",
        "168.63.129.16",
        "169.254.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::10.0.0.1",
        "::1.1.1.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:10.0.0.1",
        "64:ff9b::169.254.169.254",
        "64:ff9b::a00:1",
        "64:ff9b:1::1.1.1.1",
        "100::1",
        "2001::1",
        "2001:2::1",
        "2001:db8::1",
        "2002:a00:1::1",
        "2002:a9fe:a9fe::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "ff02::1",
    ];

    const LOOPBACK: [&str; 7] = [
        "127.0.0.1",
        "127.255.255.255",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:7f00:1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ];

    #[test]
    fn only_the_public_internet_is_asked() {
        for allows_loopback in [false, true] {
            let guard = guard(allows_loopback);
            assert!(
                PUBLIC.iter().all(|address| allows(&guard, address)),
                "{:?}",
                PUBLIC.iter().find(|address| !allows(&guard, address))
            );
            assert_eq!(PRIVATE.iter().find(|address| allows(&guard, address)), None);
        }
    }

    #[test]
    fn this_machine_is_asked_only_by_a_server_for_itself() {
        assert_eq!(LOOPBACK.iter().find(|address| allows(&guard(false), address)), None);
        assert_eq!(LOOPBACK.iter().find(|address| !allows(&guard(true), address)), None);
    }

    #[test]
    fn an_address_that_the_operator_named_is_asked_and_its_neighbours_are_not() {
        let allowed = ["10.20.0.0/16", "127.0.0.1"].map(|text| AllowedTarget::parse(text).unwrap());
        let guard = guard(false).with_allowed(Arc::new(allowed));
        for (address, is_allowed) in [
            ("10.20.3.4", true),
            ("::ffff:10.20.3.4", true),
            ("127.0.0.1", true),
            ("1.1.1.1", true),
            ("10.21.0.1", false),
            ("127.0.0.2", false),
            ("::1", false),
            ("169.254.169.254", false),
        ] {
            assert_eq!(allows(&guard, address), is_allowed, "{address}");
        }
    }

    #[test]
    fn a_host_that_is_written_as_an_address_is_checked_without_resolving() {
        let guard = guard(false);
        for url in [
            "https://127.0.0.1/c",
            "https://[::1]/c",
            "https://[::ffff:169.254.169.254]/c",
            "https://2130706433/c",
            "https://0x7f.1/c",
            "https://0177.0.0.1/c",
            "https://169.254.169.254./c",
            "https://10.1/c",
            "data:text/plain,x",
        ] {
            assert!(!guard.allows_url(&Url::parse(url).unwrap()), "{url}");
        }
        assert!(guard.allows_url(&Url::parse("https://app.example.com/c").unwrap()));
        assert!(guard.allows_url(&Url::parse("https://1.1.1.1/c").unwrap()));
    }

    #[test]
    fn nobody_may_send_requests_to_a_proxy_itself() {
        for proxy in [
            "http://user:pass@proxy.example:3128",
            "proxy.example:3128",
            "PROXY.example",
            "socks5://proxy.example:1080",
        ] {
            assert_eq!(host_of_proxy(proxy).as_deref(), Some("proxy.example"), "{proxy}");
        }
        let guard = OutgoingGuard { proxies: Arc::new(["proxy.example".to_owned()]), ..guard(false) };
        assert!(!guard.allows_url(&Url::parse("https://proxy.example/c").unwrap()));
    }

    /// Answers every name with the same addresses.
    struct Fixed(Vec<IpAddr>);

    impl Resolve for Fixed {
        fn resolve(&self, _: Name) -> Resolving {
            let addresses: Vec<SocketAddr> = self.0.iter().map(|address| (*address, 0).into()).collect();
            Box::pin(async move { Ok(Box::new(addresses.into_iter()) as Addrs) })
        }
    }

    async fn resolve(guard: OutgoingGuard, addresses: &[&str]) -> Vec<String> {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        let names = guard.with_names(Arc::new(Fixed(addresses))).resolver();
        match names.resolve("app.example.com".parse().unwrap()).await {
            Ok(allowed) => allowed.map(|address| address.ip().to_string()).collect(),
            Err(error) => {
                assert!(error.is::<ForbiddenAddress>());
                Vec::new()
            }
        }
    }

    #[tokio::test]
    async fn of_what_a_name_leads_to_only_the_allowed_is_left() {
        assert_eq!(resolve(guard(false), &["10.0.0.1", "1.1.1.1", "::1"]).await, ["1.1.1.1"]);
        assert_eq!(resolve(guard(true), &["10.0.0.1", "127.0.0.1"]).await, ["127.0.0.1"]);
        assert_eq!(resolve(guard(false), &["127.0.0.1", "169.254.169.254", "::ffff:a00:1"]).await, [] as [&str; 0]);
        assert_eq!(resolve(guard(false), &[]).await, [] as [&str; 0]);
        let named = guard(false).with_allowed(Arc::new([AllowedTarget::parse("*.example.com").unwrap()]));
        assert_eq!(resolve(named, &["10.0.0.1", "1.1.1.1"]).await, ["10.0.0.1", "1.1.1.1"]);
        let other = guard(false).with_allowed(Arc::new([AllowedTarget::parse("*.example.org").unwrap()]));
        assert_eq!(resolve(other, &["10.0.0.1"]).await, [] as [&str; 0]);
        let proxied = OutgoingGuard { proxies: Arc::new(["app.example.com".to_owned()]), ..guard(false) };
        assert_eq!(resolve(proxied, &["10.0.0.1"]).await, ["10.0.0.1"], "a proxy may be anywhere");
    }

    proptest! {
        #[test]
        fn an_ipv4_address_is_judged_alike_in_every_spelling(bits: u32) {
            let guard = guard(false);
            let v4 = Ipv4Addr::from(bits);
            let [high, low] = [(bits >> 16) as u16, (bits & 0xffff) as u16];
            for spelled in [
                v4.to_ipv6_mapped(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 1, 2, 3, 4, 5),
            ] {
                prop_assert_eq!(guard.allows(v4.into()), guard.allows(spelled.into()));
            }
            prop_assert!(!guard.allows(v4.to_ipv6_compatible().into()));
            prop_assert!(!(guard.allows(v4.into()) && (v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast())));
        }
    }
}

//! Which URLs mean this machine.

use url::{Host, Url};

/// Whether the host of `url` is this machine, so that plain http to it crosses no network. Names
/// below `.localhost` are not, since not every resolver keeps them here.
#[must_use]
pub fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_name_and_address() {
        for (url, expected) in [
            ("http://localhost:8000/a", true),
            ("http://LOCALHOST/", true),
            ("http://127.0.0.1/", true),
            ("http://127.9.9.9/", true),
            ("http://[::1]:1/", true),
            ("http://app.localhost/", false),
            ("http://localhost.example.com/", false),
            ("http://192.168.0.1/", false),
            ("http://[::ffff:127.0.0.1]/", false),
            ("data:text/plain,localhost", false),
        ] {
            assert_eq!(is_this_machine(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}

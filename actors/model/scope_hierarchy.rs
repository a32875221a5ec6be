//! Which scopes follow from which, and how far somebody's rights can go.

use super::scope::ScopeSet;
use std::collections::{BTreeMap, VecDeque};

/// A scope from which it follows that it follows from itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("implies itself: {}", path.join(" -> "))]
pub struct ScopeCycle {
    /// The way round, with the scope at both ends.
    pub path: Vec<String>,
}

/// How far somebody's rights can go, whatever they ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// As far as scopes go.
    #[default]
    Everything,
    /// These, and what follows from them is among them.
    Only(ScopeSet),
}

impl Reach {
    /// Whether all of `needed` can be had.
    #[must_use]
    pub fn covers(&self, needed: &ScopeSet) -> bool {
        match self {
            Self::Everything => true,
            Self::Only(scopes) => scopes.contains_all(needed),
        }
    }

    /// As far as both go.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        match (self, other) {
            (reach, Self::Everything) => reach,
            (Self::Everything, other) => other.clone(),
            (Self::Only(scopes), Self::Only(others)) => Self::Only(scopes.narrow(others)),
        }
    }
}

/// Broad scopes and what follows from them, worked out to the end: a check is a look into a set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeHierarchy {
    /// For each broad scope everything that follows from it, and not itself.
    implied: BTreeMap<String, ScopeSet>,
}

impl ScopeHierarchy {
    /// Works out what follows from each scope of which it is said what it implies.
    ///
    /// # Errors
    /// The first circle: who holds one of its scopes would hold them all, which is no order.
    pub fn new(direct: impl IntoIterator<Item = (String, ScopeSet)>) -> Result<Self, ScopeCycle> {
        let direct: BTreeMap<String, ScopeSet> = direct.into_iter().collect();
        let implied = direct.keys().map(|scope| Ok((scope.clone(), everything_below(scope, &direct)?)));
        Ok(Self { implied: implied.collect::<Result<_, _>>()? })
    }

    /// All scopes that are named in it.
    #[must_use]
    pub fn names(&self) -> ScopeSet {
        let broad = self.implied.keys().map(String::as_str);
        broad.chain(self.implied.values().flat_map(ScopeSet::iter)).collect()
    }

    /// The scopes and all that follows from them.
    #[must_use]
    pub fn closure(&self, scopes: &ScopeSet) -> ScopeSet {
        let below = scopes.iter().filter_map(|scope| self.implied.get(scope));
        below.fold(scopes.clone(), |all, implied| all.union(implied))
    }

    /// Everything that `scopes` allow within `reach`.
    #[must_use]
    pub fn rights(&self, scopes: &ScopeSet, reach: &Reach) -> ScopeSet {
        let all = self.closure(scopes);
        match reach {
            Reach::Everything => all,
            Reach::Only(limit) => all.narrow(limit),
        }
    }

    /// What is granted of `asked` within `reach`, in as few words as the client knows: what it asked
    /// for where that can be had, and of a broad scope that cannot be had, the parts that can.
    #[must_use]
    pub fn grant(&self, asked: &ScopeSet, reach: &Reach) -> ScopeSet {
        let Reach::Only(limit) = reach else { return asked.clone() };
        let whole = asked.narrow(limit);
        let held = self.closure(&whole);
        let parts: ScopeSet = self.rights(asked, reach).iter().filter(|scope| !held.contains(scope)).collect();
        let follows_from_another = |scope: &str| {
            let mut above = parts.iter().filter_map(|part| self.implied.get(part));
            above.any(|implied| implied.contains(scope))
        };
        whole.union(&parts.iter().filter(|scope| !follows_from_another(scope)).collect())
    }
}

/// Everything that follows from `scope`, nearest first.
fn everything_below(scope: &str, direct: &BTreeMap<String, ScopeSet>) -> Result<ScopeSet, ScopeCycle> {
    let mut below = ScopeSet::default();
    // For each scope that was found, from which other one it follows.
    let mut above: BTreeMap<&str, &str> = BTreeMap::new();
    let mut unseen = VecDeque::from([scope]);
    while let Some(from) = unseen.pop_front() {
        for to in direct.get(from).into_iter().flat_map(ScopeSet::iter) {
            if to == scope {
                return Err(ScopeCycle { path: way_round(scope, from, &above) });
            }
            if above.insert(to, from).is_none() {
                below.insert(to);
                unseen.push_back(to);
            }
        }
    }
    Ok(below)
}

/// From `scope` down to `last`, which implies it, and back to it.
fn way_round(scope: &str, last: &str, above: &BTreeMap<&str, &str>) -> Vec<String> {
    let way_up = std::iter::successors(Some(last), |at| above.get(at).copied());
    let mut path: Vec<String> = std::iter::once(scope).chain(way_up).map(str::to_owned).collect();
    // The way up ends at the scope itself.
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(text: &str) -> ScopeSet {
        ScopeSet::parse(text).unwrap()
    }

    fn hierarchy(entries: &[(&str, &str)]) -> Result<ScopeHierarchy, ScopeCycle> {
        ScopeHierarchy::new(entries.iter().map(|(scope, implied)| ((*scope).to_owned(), set(implied))))
    }

    fn office() -> ScopeHierarchy {
        hierarchy(&[("admin", "write audit"), ("write", "read")]).unwrap()
    }

    #[test]
    fn what_follows_follows_through_others_too() {
        assert_eq!(office().closure(&set("admin x")).to_string(), "admin x write audit read");
        assert_eq!(office().closure(&set("write")).to_string(), "write read");
        assert_eq!(office().closure(&set("read")).to_string(), "read");
        assert_eq!(office().names(), set("admin write audit read"));
    }

    #[test]
    fn a_circle_is_refused_with_the_way_round() {
        let error = hierarchy(&[("a", "x b"), ("b", "c"), ("c", "a")]).unwrap_err();
        assert_eq!(error.to_string(), "implies itself: a -> b -> c -> a");
        assert_eq!(hierarchy(&[("a", "a")]).unwrap_err().path, ["a", "a"]);
    }

    #[test]
    fn a_scope_may_follow_from_two() {
        let diamond = hierarchy(&[("top", "left right"), ("left", "low"), ("right", "low")]).unwrap();
        assert_eq!(diamond.closure(&set("top")).to_string(), "top left right low");
    }

    #[test]
    fn of_a_broad_scope_that_is_out_of_reach_the_parts_within_reach_are_granted() {
        let reach = |text| Reach::Only(office().closure(&set(text)));
        for (asked, limit, granted) in [
            ("admin", "admin", "admin"),
            ("admin", "write", "write"),
            ("admin", "read", "read"),
            ("admin", "write audit", "write audit"),
            ("admin write", "write audit", "write audit"),
            ("write read", "write", "write read"),
            ("read", "admin", "read"),
            ("admin", "other", ""),
        ] {
            assert_eq!(office().grant(&set(asked), &reach(limit)).to_string(), granted, "{asked} within {limit}");
        }
        assert_eq!(office().grant(&set("unheard-of"), &Reach::Everything).to_string(), "unheard-of");
    }

    #[test]
    fn reaches_meet_where_both_go() {
        let only = |text| Reach::Only(set(text));
        assert_eq!(only("a b").and(&only("b c")), only("b"));
        assert_eq!(only("a").and(&Reach::Everything), only("a"));
        assert_eq!(Reach::Everything.and(&only("a")), only("a"));
        assert!(Reach::Everything.covers(&set("anything")) && !only("a").covers(&set("a b")));
    }

    /// Implications that only lead downwards, so that there is no circle.
    fn downwards() -> impl Strategy<Value = Vec<(usize, usize)>> {
        prop::collection::vec((0_usize..8, 0_usize..8), 0..24)
            .prop_map(|pairs| pairs.into_iter().filter(|(from, to)| from < to).collect())
    }

    fn built(pairs: &[(usize, usize)]) -> ScopeHierarchy {
        let mut direct: BTreeMap<String, ScopeSet> = BTreeMap::new();
        for (from, to) in pairs {
            direct.entry(format!("s{from}")).or_default().insert(&format!("s{to}"));
        }
        ScopeHierarchy::new(direct).unwrap()
    }

    fn some_scopes() -> impl Strategy<Value = ScopeSet> {
        prop::collection::vec(0_usize..8, 0..5).prop_map(|numbers| numbers.iter().map(|n| format!("s{n}")).collect())
    }

    proptest! {
        #[test]
        fn a_closure_is_closed_and_holds_nothing_else(pairs in downwards(), scopes in some_scopes()) {
            let hierarchy = built(&pairs);
            let all = hierarchy.closure(&scopes);
            prop_assert!(all.contains_all(&scopes));
            prop_assert_eq!(&hierarchy.closure(&all), &all);
            // Whatever is in it was given, or follows from something in it.
            for scope in all.iter().filter(|scope| !scopes.contains(scope)) {
                let follows = pairs.iter().any(|(from, to)| scope == format!("s{to}") && all.contains(&format!("s{from}")));
                prop_assert!(follows, "{} in {}", scope, all);
            }
            // Each single step is in it.
            for (from, to) in pairs.iter().filter(|(from, _)| all.contains(&format!("s{from}"))) {
                prop_assert!(all.contains(&format!("s{to}")), "s{from} implies s{to}");
            }
        }

        #[test]
        fn a_grant_allows_just_what_was_asked_and_is_within_reach(
            pairs in downwards(), asked in some_scopes(), limit in some_scopes(),
        ) {
            let hierarchy = built(&pairs);
            let reach = Reach::Only(hierarchy.closure(&limit));
            let granted = hierarchy.grant(&asked, &reach);
            let (given, due) = (hierarchy.closure(&granted), hierarchy.rights(&asked, &reach));
            prop_assert!(given.contains_all(&due) && due.contains_all(&given), "{} and {}", given, due);
            prop_assert!(reach.covers(&granted));
        }
    }
}

//! Conditions that cannot be told, and somebody whom they are about: wherever conditions decide,
//! none of them may let anything pass.

use super::samples;
use crate::model::principal::User;
use serde_json::json;

/// Somebody of whom little is known, with claims of every kind.
#[must_use]
pub fn odd_user() -> User {
    User {
        email: None,
        role: Some("r".to_owned()),
        groups: vec!["g".to_owned()],
        claims: json!({
            "n": 5, "t": "5", "b": true, "nothing": null, "list": [1, null], "map": {"x": null, "y": {"z": 1}},
        }),
        ..samples::user("odd")
    }
}

/// Conditions about them that have no answer.
pub const WITHOUT_ANSWER: [&str; 75] = [
    // Fields of what has none, or is not there.
    "has(user.email.x)",
    "!has(user.email.x)",
    "has(user.claims.missing.x)",
    "!has(user.claims.missing.x)",
    "has(user.claims.nothing.x)",
    "!has(user.claims.nothing.x)",
    "has(user.claims.n.x)",
    "has(user.groups.x)",
    "!has(user.groups.x)",
    "has(user.role.x)",
    "!has(user.claims.list.x)",
    "has(user.claims.map.x.y)",
    "!has(user.groups[0].x)",
    "!has(user.groups[5].x)",
    "!has(user.claims['missing'].x)",
    "!has(user.claims.map.y.z.w)",
    "user.groups.exists(g, has(g.x))",
    "!user.groups.exists(g, has(g.x))",
    "user.groups.all(g, !has(g.x))",
    "user.groups.filter(g, has(g.x)).size() == 0",
    "user.groups.map(g, has(g.x)).size() == 1",
    "user.groups.exists_one(g, !has(g.x))",
    "user.claims.list.exists(x, has(x.y)) || false",
    "user.claims.missing == 'x'",
    "user.claims.missing != 'x'",
    "!(user.claims.missing == 'x')",
    "user.claims.missing in ['x']",
    "!(user.claims.missing in ['x'])",
    "!('x' in user.claims.missing)",
    "user.claims['missing'] != 1",
    "user.claims.map.y.missing != 1",
    "user.claims.missing.exists(x, true)",
    "!user.claims.missing.exists(x, true)",
    "user.claims.missing.all(x, false)",
    "user.claims.list[7] != 1",
    "user.claims.list[-1] != 1",
    "user.groups['0'] != 'x'",
    // The wrong kind.
    "user.claims.t > 4",
    "user.claims.n > '4'",
    "!(user.claims.n < '4')",
    "user.claims.n < null",
    "!(user.email > 'a')",
    "user.email < 'z'",
    "user.email.startsWith('a')",
    "!user.email.startsWith('a')",
    "!user.email.contains('a')",
    "!user.email.matches('a')",
    "!matches(user.claims.n, '5')",
    "size(user.email) == 0",
    "user.email.size() == 0",
    "size(user.claims.n) != 1",
    "!('x' in user.email)",
    "!('x' in user.claims.n)",
    "!(user.claims.n)",
    "user.claims.n",
    "user.claims.nothing",
    "!user.claims.nothing",
    "user.claims.t && true",
    "true && user.claims.t",
    "false || user.claims.t",
    "user.claims.n ? false : false",
    "user.claims.nothing ? false : true",
    "user.claims.n + '5' != ''",
    "user.claims.n / 0 != 1",
    "user.claims.n % 0 != 1",
    "int(user.claims.map.y) != 1",
    "int('x') != 1",
    "-user.claims.n - 9223372036854775807 - 9 < 0",
    "user.?email.value() != 'x'",
    "user.claims.n.?x.orValue(1) != 1",
    "!user.claims.list[1].startsWith('a')",
    "[1].all(n, user.claims.missing != n)",
    "user.claims.map.exists(k, user.claims.map[k].z == 2) && true",
    "{'a': user.claims.missing}.a != 1",
    "duration(user.claims.t) != duration('1s')",
];

//! Conditions and data made up at random: nothing of it may panic, overflow the stack or take long.
//! The same cases each time; `make fuzz` runs many more, others each time.

use super::{Expression, context, kept_cel_value};
use serde_json::{Map, Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use tokio::time::Instant;

const CASES: u64 = 3_000;
/// How many seconds to go on with other cases.
const SECONDS_VARIABLE: &str = "MXCP_FUZZ_SECONDS";
/// Longer than any evaluation takes, also in a build without optimisation on a busy machine.
const SLOW: Duration = Duration::from_secs(20);

const PIECES: [&str; 92] = [
    "user",
    "user.email",
    "user.groups",
    "user.claims",
    "n",
    "text",
    "list",
    "map",
    "nothing",
    "true",
    "false",
    "null",
    "0",
    "1",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615u",
    "1.5",
    "1e308",
    "''",
    "'a'",
    "\"ä\"",
    "r'\\d'",
    "b'x'",
    "'''x'''",
    "'\\u00e4'",
    "[]",
    "{}",
    "[1, 2]",
    "{'a': 1}",
    "{1u: 2}",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    ".",
    ".?",
    "[?",
    "?",
    "&&",
    "||",
    "!",
    "-",
    "+",
    "*",
    "/",
    "%",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    " in ",
    "has(",
    ".all(x, ",
    ".exists(x, ",
    ".exists_one(x, ",
    ".map(x, ",
    ".filter(x, ",
    ".map(x, x > 1, ",
    "x",
    "size(",
    ".size()",
    ".startsWith(",
    ".endsWith('a')",
    ".contains(",
    ".matches('a+')",
    ".orValue(1)",
    ".hasValue()",
    "int(",
    "uint(",
    "double(",
    "string(",
    "bytes(",
    "bool(",
    "type(",
    "dyn(",
    "timestamp(",
    "duration('1h')",
    "timestamp('9999-12-31T23:59:59Z')",
    ".getFullYear()",
    ".getHours('+25:00')",
    "// note\n",
    "\u{0}",
    "日本",
    "`a`",
];

/// A number that looks random (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn piece(&mut self) -> &'static str {
        PIECES[self.below(PIECES.len())]
    }

    /// Pieces in a row, which seldom parse.
    fn noise(&mut self) -> String {
        (0..=self.below(24)).map(|_| self.piece()).collect()
    }

    /// Something that parses, mostly.
    fn expression(&mut self, depth: usize) -> String {
        const ATOMS: usize = 32;
        if depth == 0 {
            return PIECES[self.below(ATOMS)].to_owned();
        }
        let (one, two) = (self.expression(depth - 1), self.expression(depth - 1));
        match self.below(18) {
            0 => format!("({one} && {two})"),
            1 => format!("({one} || {two})"),
            2 => format!("!({one})"),
            3 => format!("({one} ? {two} : {one})"),
            4 => format!("({one} {} {two})", ["==", "!=", "<", ">="][self.below(4)]),
            5 => format!("({one} {} {two})", ["+", "-", "*", "/", "%"][self.below(5)]),
            6 => format!("({one} in {two})"),
            7 => format!("{one}.{}(x, {two})", ["all", "exists", "exists_one", "map", "filter"][self.below(5)]),
            8 => format!("[{one}, {two}]"),
            9 => format!("{{{one}: {two}}}"),
            10 => format!("{one}[{two}]"),
            11 => format!("has(({one}).a)"),
            12 => format!("({one}).?a.orValue({two})"),
            13 => format!(
                "{}({one})",
                ["size", "int", "uint", "double", "string", "timestamp", "duration"][self.below(7)]
            ),
            14 => format!("({one}).{}({two})", ["startsWith", "endsWith", "contains"][self.below(3)]),
            15 => format!("({one}).{}()", ["size", "getFullYear", "getDayOfYear", "getMilliseconds"][self.below(4)]),
            16 => format!("-({one})"),
            _ => format!("({one}).map(x, [{two}]).map(x, x + x)"),
        }
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 10 } else { 12 }) {
            0 => Value::Null,
            1 => json!(self.next().is_multiple_of(2)),
            2 => json!(self.below(5)),
            3 => json!(i64::MIN),
            4 => json!(u64::MAX),
            5 => json!(f64::from_bits(self.next())),
            6 => json!(""),
            7 => json!("日本\u{0}"),
            8 => json!("9999-12-31T23:59:60Z"),
            9 => json!("x".repeat(self.below(2_000))),
            10 => (0..self.below(40)).map(|_| self.value(depth - 1)).collect(),
            _ => Value::Object((0..self.below(6)).map(|_| (self.piece().to_owned(), self.value(depth - 1))).collect()),
        }
    }
}

/// One case; the answer is whether it compiled.
fn run(seed: u64) -> bool {
    let mut dice = Dice(seed);
    let condition = match dice.below(4) {
        0 => dice.noise(),
        // As a whole it has to be true or false.
        depth => format!("{} == {}", dice.expression(depth), dice.expression(2)),
    };
    let started = Instant::now();
    let Ok(expression) = Expression::compile(&condition, &["user", "n", "text", "list", "map", "nothing"]) else {
        return false;
    };
    let mut context = context();
    let user: Map<String, Value> =
        ["email", "groups", "claims"].map(|name| (name.to_owned(), dice.value(2))).into_iter().collect();
    context.add_variable_as_val("user", kept_cel_value(&Value::Object(user)));
    for name in ["n", "text", "list", "map"] {
        context.add_variable_as_val(name, kept_cel_value(&dice.value(3)));
    }
    let _outcome = expression.holds(&context);
    let _told = expression.explain(&context);
    assert!(started.elapsed() < SLOW, "took {:?}: {condition}", started.elapsed());
    true
}

fn run_all(seeds: impl Iterator<Item = u64>, deadline: Option<Instant>) -> u64 {
    let mut compiled = 0;
    for seed in seeds {
        let outcome = catch_unwind(AssertUnwindSafe(|| run(seed)));
        compiled += u64::from(outcome.unwrap_or_else(|_| panic!("the case {seed} panicked")));
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            break;
        }
    }
    compiled
}

#[test]
fn nothing_made_up_at_random_panics_or_takes_long() {
    let compiled = run_all(0..CASES, None);
    assert!(compiled > CASES / 10, "only {compiled} cases were evaluated, so the test tests little");
    let Ok(seconds) = std::env::var(SECONDS_VARIABLE) else { return };
    let first = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() << 32;
    let deadline = Instant::now() + Duration::from_secs(seconds.parse().unwrap());
    run_all(first.., Some(deadline));
}

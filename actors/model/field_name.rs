//! Names of fields in results, as rules and marks mean them: the one place where they are compared.

/// Whether both names mean the same field. The names of columns count without their case in SQL, and
/// whoever writes a query may choose any.
#[must_use]
pub fn is_same_field(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// What is left of a path behind that name, if the path begins with it. A name may hold dots itself.
#[must_use]
pub fn path_behind<'p>(path: &'p str, name: &str) -> Option<&'p str> {
    let (head, rest) = path.split_at_checked(name.len())?;
    rest.strip_prefix('.').filter(|_| is_same_field(head, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_count_without_their_case() {
        assert!(is_same_field("Salary", "SALARY") && !is_same_field("salary", "salaries"));
        assert_eq!(path_behind("Pay.base.x", "pay"), Some("base.x"));
        assert_eq!(path_behind("Pay.base.x", "PAY.Base"), Some("x"));
        for name in ["pa", "pay.", "pay.base.x", "pay.base.x.y", "päy"] {
            assert_eq!(path_behind("Pay.base.x", name), None, "{name}");
        }
    }
}

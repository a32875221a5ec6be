use super::*;
use crate::adapters::system::SystemEntropy;
use mxcp_actors::ports::entropy::Entropy;

/// Cheap parameters, so that tests do not wait: the password is `correct horse`.
fn cheap_hash(password: &str) -> String {
    use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, Version};
    let hash: PasswordHash = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap())
        .hash_password_with_salt(password.as_bytes(), b"a salt for tests")
        .unwrap();
    hash.to_string()
}

fn user(username: &str, password: &str) -> LocalUser {
    LocalUser {
        username: username.to_owned(),
        password_hash: cheap_hash(password),
        email: Some(format!("{username}@example.com")),
        name: None,
        role: Some("admin".to_owned()),
        permissions: vec!["read".to_owned()],
        groups: vec!["staff".to_owned()],
    }
}

fn directory() -> LocalUsers {
    LocalUsers::new(vec![user("ada", "correct horse"), user("bob", "battery staple")]).unwrap()
}

async fn verify(directory: &LocalUsers, username: &str, password: &str) -> Option<User> {
    directory.verify(username.to_owned(), Secret::new(password)).await.unwrap()
}

#[tokio::test]
async fn the_right_password_opens_and_describes_the_user() {
    let user = verify(&directory(), "ada", "correct horse").await.unwrap();
    assert_eq!(user.id, UserId::of("local", "ada"));
    assert_eq!(user.email.as_deref(), Some("ada@example.com"));
    assert!(user.email_verified);
    assert_eq!(user.role.as_deref(), Some("admin"));
    assert_eq!(user.permissions, ["read"]);
    assert_eq!(user.groups, ["staff"]);
}

#[tokio::test]
async fn a_wrong_password_a_wrong_case_and_an_unknown_name_do_not_open() {
    let directory = directory();
    for (username, password) in [
        ("ada", "correct hors"),
        ("ada", "battery staple"),
        ("ada", ""),
        ("Ada", "correct horse"),
        ("ada ", "correct horse"),
        ("", "correct horse"),
        ("eve", "correct horse"),
    ] {
        assert_eq!(verify(&directory, username, password).await, None, "{username:?} {password:?}");
    }
}

#[tokio::test]
async fn nobody_gets_in_where_there_are_no_users() {
    assert_eq!(verify(&LocalUsers::new(Vec::new()).unwrap(), "ada", "x").await, None);
}

#[tokio::test]
async fn a_password_above_the_limit_is_wrong_even_if_its_hash_is_right() {
    let long = "x".repeat(PASSWORD_BYTES_MAX + 1);
    let limit = "x".repeat(PASSWORD_BYTES_MAX);
    let directory = LocalUsers::new(vec![user("long", &long), user("limit", &limit)]).unwrap();
    assert_eq!(verify(&directory, "long", &long).await, None);
    assert!(verify(&directory, "limit", &limit).await.is_some());
}

#[test]
fn an_unknown_name_costs_a_check_with_the_same_parameters() {
    let directory = directory();
    let known = directory.hash_for("ada").unwrap();
    let unknown = directory.hash_for("eve").unwrap();
    assert_eq!(unknown.params, known.params);
    assert_eq!(unknown.hash.unwrap().len(), known.hash.unwrap().len());
    assert_ne!(unknown.hash, known.hash);
    assert!(Arc::ptr_eq(&unknown, &directory.hash_for("eve").unwrap()));
}

#[tokio::test(start_paused = true)]
async fn a_check_waits_for_its_turn_and_not_for_ever() {
    let directory = directory();
    let all = u32::try_from(directory.turns.available_permits()).unwrap();
    let _taken = Arc::clone(&directory.turns).acquire_many_owned(all).await.unwrap();
    let error = directory.verify("ada".to_owned(), Secret::new("correct horse")).await.unwrap_err();
    assert_eq!(error, PasswordCheckError("too many password checks are waiting; try again".to_owned()));
}

#[test]
fn the_users_of_the_configuration_are_checked() {
    let refused = |users| LocalUsers::new(users).unwrap_err().to_string();
    assert_eq!(refused(vec![user("ada", "a"), user("ada", "b")]), "local user `ada`: the name is there twice");
    assert_eq!(refused(vec![user("", "a")]), "local user ``: the name must not be empty");
    let plain = LocalUser { password_hash: "correct horse".to_owned(), ..user("ada", "a") };
    assert_eq!(refused(vec![plain]), "local user `ada`: is not a password hash; make one with `mxcp hash-password`");
}

#[test]
fn a_fresh_hash_is_accepted_and_matches_its_password_only() {
    let hash = hash_password(&Secret::new("correct horse"), &SystemEntropy).unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    assert_eq!(check_password_hash(&hash), Ok(()));
    let parsed = parse(&hash).unwrap();
    assert_eq!(matches(&Secret::new("correct horse"), &parsed), Ok(true));
    assert_eq!(matches(&Secret::new("Correct horse"), &parsed), Ok(false));
    assert_ne!(hash, hash_password(&Secret::new("correct horse"), &SystemEntropy).unwrap());
}

#[test]
fn the_salt_comes_from_the_entropy_port() {
    #[derive(Debug)]
    struct Sevens;
    impl Entropy for Sevens {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }
    let hash = parse(&hash_password(&Secret::new("x"), &Sevens).unwrap()).unwrap();
    assert_eq!(hash.salt.unwrap().as_ref(), [7_u8; 16]);
}

#[test]
fn passwords_that_make_no_sense_are_not_hashed() {
    let hash = |text: &str| hash_password(&Secret::new(text), &SystemEntropy);
    assert_eq!(hash(""), Err(PasswordHashError::Empty));
    assert_eq!(hash(&"x".repeat(PASSWORD_BYTES_MAX + 1)), Err(PasswordHashError::TooLong));
}

#[test]
fn only_usable_argon2id_hashes_are_accepted() {
    let good = cheap_hash("x");
    for (bad, part) in [
        ("", "is not a password hash"),
        ("hunter2", "is not a password hash"),
        ("$2b$12$abcdefghijklmnopqrstuv", "hash"),
        (&good.replace("argon2id", "argon2i"), "not of argon2id"),
        (&good.replace("v=19", "v=16"), "old version"),
        (&good.replace("$v=19", ""), "old version"),
        (&good.replace("m=8", "m=4194304"), "1 GiB"),
        (&good.replace("t=1", "t=100"), "64 passes"),
        (&good.replace("m=8", "m=1"), "parameters"),
        (good.rsplit_once('$').unwrap().0, "lacks"),
    ] {
        let problem = check_password_hash(bad).unwrap_err();
        assert!(problem.contains(part), "{bad}: {problem}");
        assert!(bad.len() < 8 || !problem.contains(bad), "repeats the hash: {problem}");
    }
}

#[test]
fn nothing_secret_is_printed() {
    let text = format!("{:?} {:?}", user("ada", "x"), directory());
    assert!(!text.contains("argon2id"), "{text}");
}

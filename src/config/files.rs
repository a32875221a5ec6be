//! Reading the text of a file, within measure.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

/// No honest configuration or SQL file is larger.
const BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The text of `path`, without a byte order mark, or the end of a sentence that says what is
/// wrong with the file.
pub(super) fn read_text(path: &Path) -> Result<String, String> {
    let file = File::open(path).map_err(|error| failure(&error))?;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| failure(&error))?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(format!("is larger than {} MiB", BYTES_MAX >> 20));
    }
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned())?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// What stopped the reading.
fn failure(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "does not exist".to_owned(),
        ErrorKind::IsADirectory => "is a folder".to_owned(),
        ErrorKind::PermissionDenied => "may not be read by this user".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_file_is_said_plainly() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        assert_eq!(read_text(&path).unwrap_err(), "does not exist");
        assert_eq!(read_text(folder.path()).unwrap_err(), "is a folder");
        std::fs::write(&path, b"\xff\xfe").unwrap();
        assert_eq!(read_text(&path).unwrap_err(), "is not UTF-8 text");
        std::fs::write(&path, "\u{feff}a").unwrap();
        assert_eq!(read_text(&path).unwrap(), "a");
    }

    #[test]
    fn an_endless_file_is_not_read_to_its_end() {
        assert_eq!(read_text(Path::new("/dev/zero")).unwrap_err(), "is larger than 8 MiB");
    }
}

//! Compressing files of the log that are closed.

use super::content::{UNCOMPRESSED_MAX, compressed};
use super::whole_file::{begin, finish, sync_folder};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

/// How much is read and written at once.
const BLOCK: usize = 256 * 1024;

/// Compresses the closed segment at `path`, and removes it once the compressed one is on the
/// disk: a crash leaves either or both, and never a part. Tells whether it did; larger segments
/// than any reader takes are left alone.
///
/// # Errors
/// When the operating system refuses; then the segment is still there.
pub(super) fn compress(path: &Path, folder: &Path) -> io::Result<bool> {
    let mut plain = File::open(path)?;
    if plain.metadata()?.len() > UNCOMPRESSED_MAX {
        return Ok(false);
    }
    let target = compressed(path);
    let file = BufWriter::with_capacity(BLOCK, begin(&target)?);
    let mut encoder = GzEncoder::new(file, Compression::default());
    io::copy(&mut plain, &mut encoder)?;
    let mut file = encoder.finish()?;
    file.flush()?;
    finish(file.get_ref(), &target)?;
    sync_folder(folder)?;
    fs::remove_file(path)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::super::content::SegmentContent;
    use super::*;
    use std::io::Read as _;
    use tempfile::TempDir;

    #[test]
    fn a_compressed_segment_holds_the_same_and_takes_the_place_of_the_plain_one() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("logs-20261123T100712.jsonl");
        let text = "{\"a\":1}\n".repeat(100_000);
        fs::write(&path, &text).unwrap();
        assert!(compress(&path, folder.path()).unwrap());
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["logs-20261123T100712.jsonl.gz"]);
        assert!(fs::metadata(compressed(&path)).unwrap().len() < 10_000);
        let mut read = String::new();
        SegmentContent::open(&path).unwrap().unwrap().read_to_string(&mut read).unwrap();
        assert!(read == text);
    }

    #[test]
    fn what_a_crash_left_half_compressed_is_done_anew() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("logs-20261123T100712.jsonl");
        fs::write(&path, "{\"a\":1}\n").unwrap();
        fs::write(folder.path().join("logs-20261123T100712.jsonl.gz.tmp"), "half of a much longer file").unwrap();
        assert!(compress(&path, folder.path()).unwrap());
        let mut read = String::new();
        SegmentContent::open(&path).unwrap().unwrap().read_to_string(&mut read).unwrap();
        assert_eq!(read, "{\"a\":1}\n");
    }
}

//! Opening a segment, whether it is still plain or compressed already.

use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// What follows the name of a compressed segment.
pub(super) const GZIP_SUFFIX: &str = ".gz";

/// The most bytes that a compressed segment may hold: whoever reads from its end has to hold all of
/// them. Larger files are never compressed.
pub(super) const UNCOMPRESSED_MAX: u64 = 512 * 1024 * 1024;

/// How much of a compressed file is read at once.
const BLOCK: usize = 256 * 1024;

/// The lines of a segment, from the first to the last.
#[derive(Debug)]
pub(super) enum SegmentContent {
    /// It may be growing.
    Plain(File),
    /// It is closed.
    Compressed(Box<MultiGzDecoder<BufReader<File>>>),
}

impl SegmentContent {
    /// Opens the segment at `path`, or what it has become since the folder was listed: a plain one
    /// may have been compressed. `None` when it is gone.
    ///
    /// # Errors
    /// When it is there and cannot be opened.
    pub(super) fn open(path: &Path) -> io::Result<Option<Self>> {
        if is_compressed(path) {
            return Ok(open_file(path)?.map(Self::decompressing));
        }
        if let Some(file) = open_file(path)? {
            return Ok(Some(Self::Plain(file)));
        }
        Ok(open_file(&compressed(path))?.map(Self::decompressing))
    }

    /// The same for reading from the end. A compressed segment is held in memory.
    ///
    /// # Errors
    /// When it cannot be decompressed, or holds more than any segment that was compressed here.
    pub(super) fn into_seekable(self) -> io::Result<SeekableContent> {
        match self {
            Self::Plain(file) => Ok(SeekableContent::Plain(file)),
            Self::Compressed(decoder) => {
                let mut bytes = Vec::new();
                decoder.take(UNCOMPRESSED_MAX + 1).read_to_end(&mut bytes)?;
                if u64::try_from(bytes.len()).is_ok_and(|length| length <= UNCOMPRESSED_MAX) {
                    return Ok(SeekableContent::Memory(Cursor::new(bytes)));
                }
                Err(io::Error::new(io::ErrorKind::FileTooLarge, "more than 512 MiB when decompressed"))
            }
        }
    }

    /// The file, when it can be read from any place.
    pub(super) fn plain(&mut self) -> Option<&mut File> {
        match self {
            Self::Plain(file) => Some(file),
            Self::Compressed(_) => None,
        }
    }

    fn decompressing(file: File) -> Self {
        Self::Compressed(Box::new(MultiGzDecoder::new(BufReader::with_capacity(BLOCK, file))))
    }
}

impl Read for SegmentContent {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer),
            Self::Compressed(decoder) => decoder.read(buffer),
        }
    }
}

/// The bytes of a segment in any order.
#[derive(Debug)]
pub(super) enum SeekableContent {
    /// As it is on the disk.
    Plain(File),
    /// Decompressed.
    Memory(Cursor<Vec<u8>>),
}

impl Read for SeekableContent {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer),
            Self::Memory(bytes) => bytes.read(buffer),
        }
    }
}

impl Seek for SeekableContent {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::Plain(file) => file.seek(to),
            Self::Memory(bytes) => bytes.seek(to),
        }
    }
}

/// Whether what was read is not what gzip writes, rather than the disk refusing.
pub(super) fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof)
}

/// Whether the file at `path` is a compressed segment, by its name.
pub(super) fn is_compressed(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(GZIP_SUFFIX.as_bytes())
}

/// Where the segment at `path` is once it is compressed.
pub(super) fn compressed(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(GZIP_SUFFIX);
    PathBuf::from(name)
}

/// Opens what is a file: of something else, such as a pipe, opening alone may last for ever.
fn open_file(path: &Path) -> io::Result<Option<File>> {
    if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no regular file"));
    }
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => file.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::fs;
    use std::io::Write as _;
    use tempfile::TempDir;

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn text(path: &Path) -> Option<String> {
        let mut text = String::new();
        SegmentContent::open(path).unwrap()?.read_to_string(&mut text).unwrap();
        Some(text)
    }

    #[test]
    fn a_segment_that_was_compressed_meanwhile_is_found() {
        let folder = TempDir::new().unwrap();
        let plain = folder.path().join("logs-20261123T100712.jsonl");
        assert_eq!(text(&plain), None);
        fs::write(compressed(&plain), gzip("old\n")).unwrap();
        assert_eq!(text(&plain).as_deref(), Some("old\n"));
        assert_eq!(text(&compressed(&plain)).as_deref(), Some("old\n"));
        fs::write(&plain, "plain\n").unwrap();
        assert_eq!(text(&plain).as_deref(), Some("plain\n"));
    }

    #[test]
    fn files_that_were_compressed_in_parts_are_whole() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("logs-20261123T100712.jsonl.gz");
        fs::write(&path, [gzip("one\n"), gzip("two\n")].concat()).unwrap();
        assert_eq!(text(&path).as_deref(), Some("one\ntwo\n"));
        let mut seekable = SegmentContent::open(&path).unwrap().unwrap().into_seekable().unwrap();
        assert_eq!(seekable.seek(SeekFrom::End(-4)).unwrap(), 4);
        let mut last = String::new();
        seekable.read_to_string(&mut last).unwrap();
        assert_eq!(last, "two\n");
    }

    #[test]
    fn damaged_compression_is_an_error_and_not_the_end() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("logs-20261123T100712.jsonl.gz");
        let whole = gzip("a line that is long enough\n");
        fs::write(&path, &whole[..whole.len() - 6]).unwrap();
        let mut content = SegmentContent::open(&path).unwrap().unwrap();
        assert!(content.read_to_end(&mut Vec::new()).is_err());
    }
}

//! The lines of a file from the last to the first.

use std::io::{self, Read, Seek, SeekFrom};

/// How much is read at once, at least.
const BLOCK: u64 = 256 * 1024;

/// Reads lines from the end, so that the newest records of a large file cost little.
#[derive(Debug)]
pub(super) struct BackwardLines<F> {
    file: F,
    /// Bytes of the file that lie before those in `buffer`.
    unread: u64,
    /// What has been read last.
    buffer: Vec<u8>,
    /// Where in `buffer` that ends what has not been returned yet.
    end: usize,
}

impl<F: Read + Seek> BackwardLines<F> {
    /// The lines that `file` holds now.
    ///
    /// # Errors
    /// When its length cannot be told.
    pub(super) fn new(mut file: F) -> io::Result<Self> {
        let unread = file.seek(SeekFrom::End(0))?;
        Ok(Self { file, unread, buffer: Vec::new(), end: 0 })
    }

    /// The line before the one returned last, without its line break, passing over empty ones;
    /// `None` at the file's begin.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn next_line(&mut self) -> io::Result<Option<&[u8]>> {
        let (begin, end) = loop {
            match self.previous()? {
                Some((begin, end)) if begin < end => break (begin, end),
                Some(_) => {}
                None => return Ok(None),
            }
        };
        Ok(self.buffer.get(begin..end))
    }

    /// Where in the buffer the line before the one returned last lies.
    fn previous(&mut self) -> io::Result<Option<(usize, usize)>> {
        // Bytes at the end of what is left in which there is no line break.
        let mut searched = 0;
        loop {
            let unsearched = self.buffer.get(..self.end - searched).unwrap_or_default();
            if let Some(at) = memchr::memrchr(b'\n', unsearched) {
                let line = (at + 1, self.end);
                self.end = at;
                return Ok(Some(line));
            }
            if self.unread == 0 {
                let line = (0, self.end);
                self.end = 0;
                return Ok((line.1 > 0).then_some(line));
            }
            searched = self.end;
            self.read_block()?;
        }
    }

    /// Puts the bytes before what is left in front of it. Blocks grow with the line, so that even
    /// a very long one is copied a few times only.
    fn read_block(&mut self) -> io::Result<()> {
        let held = u64::try_from(self.end).unwrap_or(u64::MAX);
        let size = BLOCK.max(held).min(self.unread);
        self.unread -= size;
        self.file.seek(SeekFrom::Start(self.unread))?;
        let mut block = Vec::with_capacity(self.end + usize::try_from(size).unwrap_or(0));
        (&mut self.file).take(size).read_to_end(&mut block)?;
        block.extend_from_slice(self.buffer.get(..self.end).unwrap_or_default());
        self.end = block.len();
        self.buffer = block;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = BackwardLines::new(Cursor::new(bytes)).unwrap();
        std::iter::from_fn(|| lines.next_line().unwrap().map(<[u8]>::to_vec)).collect()
    }

    #[test]
    fn lines_come_from_the_last_to_the_first() {
        assert_eq!(lines(b"one\ntwo\nthree\n"), [b"three".to_vec(), b"two".to_vec(), b"one".to_vec()]);
    }

    #[test]
    fn a_last_line_without_a_break_and_empty_lines_do_no_harm() {
        assert_eq!(lines(b"\n\none\n\n\ntw"), [b"tw".to_vec(), b"one".to_vec()]);
        assert!(lines(b"").is_empty());
        assert!(lines(b"\n\n").is_empty());
    }

    #[test]
    fn lines_longer_than_a_block_are_whole() {
        let block = usize::try_from(BLOCK).unwrap();
        let long = [b"a".repeat(5 * block + 17), b"b".repeat(block), b"c".repeat(block - 1), b"d".to_vec()];
        let mut bytes = long.join(&b'\n');
        bytes.push(b'\n');
        let backwards: Vec<_> = long.into_iter().rev().collect();
        assert_eq!(lines(&bytes), backwards);
    }

    proptest::proptest! {
        #[test]
        fn backwards_is_forwards_reversed(bytes in proptest::collection::vec(proptest::sample::select(vec![b'\n', b'x', b'y']), 0..400)) {
            let mut forwards: Vec<Vec<u8>> =
                bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect();
            forwards.reverse();
            proptest::prop_assert_eq!(lines(&bytes), forwards);
        }
    }
}

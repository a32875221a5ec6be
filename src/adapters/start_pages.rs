//! Giving back what only the start needed of the program's code.
//!
//! A start touches much of the code that it runs once: DuckDB alone registers some thousand
//! functions. The kernel maps those pages, and their neighbours, and keeps them mapped for as long
//! as memory is not short, so that a daemon which does nothing looks as large as its start was.
//! Unmapped, the pages stay in the kernel's cache of the file; what a call needs is mapped again
//! when it runs.

#[cfg(target_os = "linux")]
pub use linux::give_back;

/// Does nothing: only Linux is known to tell what may be given back.
#[cfg(not(target_os = "linux"))]
pub fn give_back() {}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::c_void;
    use std::ops::Range;

    /// Unmaps the pages of code that nothing has changed. Without `/proc` nothing happens.
    pub fn give_back() {
        let Ok(mappings) = std::fs::read_to_string("/proc/self/smaps") else { return };
        for Range { start, end } in unchanged_code(&mappings) {
            // SAFETY: the range maps code of a file, of which no page is changed, so what is
            // unmapped here is read from the file again when it is touched. Nothing in this
            // process unloads a library, so the range is still what the kernel said.
            #[expect(unsafe_code, reason = "the kernel takes advice by a system call alone")]
            let advice = unsafe { libc::madvise(start as *mut c_void, end - start, libc::MADV_DONTNEED) };
            if advice != 0 {
                tracing::debug!(error = %std::io::Error::last_os_error(), "pages of code could not be given back");
            }
        }
    }

    /// Where files are mapped to be run, and no page differs from its file: a debugger's breakpoints
    /// would be lost.
    fn unchanged_code(mappings: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let mut code = None;
        for line in mappings.lines() {
            match line.split_once(':') {
                Some(("Anonymous", size)) if size.trim() == "0 kB" => found.extend(code.take()),
                // Other attributes of the mapping.
                Some((name, _)) if !name.contains(' ') => {}
                _ => code = code_of_a_file(line),
            }
        }
        found
    }

    /// The range of a line such as `7f00-7f80 r-xp 00000000 fe:00 123  /usr/lib/libc.so.6`.
    fn code_of_a_file(line: &str) -> Option<Range<usize>> {
        let mut fields = line.split_whitespace();
        let (range, permissions, path) = (fields.next()?, fields.next()?, fields.nth(3)?);
        let (start, end) = range.split_once('-')?;
        let range = usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?;
        (permissions == "r-xp" && path.starts_with('/') && !range.is_empty()).then_some(range)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        const SMAPS: &str = "\
5000-7000 r--p 00000000 fe:00 1      /usr/bin/mxcp
Anonymous:             0 kB
7000-9000 r-xp 00002000 fe:00 1      /usr/bin/mxcp
Size:                  8 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
a000-b000 r-xp 00000000 fe:00 2      /usr/lib/a: b.so
Anonymous:             0 kB
b000-c000 r-xp 00000000 fe:00 3      /usr/lib/changed.so
Anonymous:             4 kB
c000-d000 rwxp 00000000 fe:00 4      /usr/lib/writable.so
Anonymous:             0 kB
e000-f000 r-xp 00000000 00:00 0      [vdso]
Anonymous:             0 kB
f000-ff00 r-xp 00000000 00:00 0
Anonymous:             0 kB
";

        #[test]
        fn only_unchanged_code_of_files_is_given_back() {
            assert_eq!(unchanged_code(SMAPS), [0x7000..0x9000, 0xa000..0xb000]);
            assert!(unchanged_code("nonsense\n\n: \n-- r-xp x y z /a\n").is_empty());
        }

        #[test]
        fn the_program_goes_on_after_its_code_was_given_back() {
            let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
            assert!(!unchanged_code(&smaps).is_empty());
            give_back();
            assert_eq!("still here".to_uppercase(), "STILL HERE");
        }
    }
}

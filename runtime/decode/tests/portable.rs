//! The portable tier holds no instruction of a certain processor: intrinsics stand in the files of their instruction sets, and
//! those files are compiled for that processor alone.
//!
//! So what another processor runs is what `CHALK_DECODE=portable` runs here.

use std::path::{Path, PathBuf};

/// The files that may name intrinsics.
const OF_X86: [&str; 2] = ["fast/simd/avx2.rs", "fast/simd/avx512.rs"];

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// The lines of a file that are no comments.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.starts_with("//"))
}

#[test]
fn intrinsics_stand_in_the_files_of_their_processor() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut found = 0;
    for path in &files {
        let name = path.strip_prefix(&root).expect("below src").to_string_lossy().replace('\\', "/");
        let text = std::fs::read_to_string(path).expect("a source");
        for (number, line) in lines(&text) {
            if !["std::arch", "core::arch", "_mm", "asm!"].iter().any(|word| line.contains(word)) {
                continue;
            }
            found += 1;
            assert!(OF_X86.contains(&name.as_str()), "src/{name}:{}: {line}", number + 1);
        }
    }
    assert!(found > 10, "the search finds intrinsics where there are some");
}

#[test]
fn what_belongs_to_a_processor_is_compiled_for_it_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut found = 0;
    for path in &files {
        let name = path.strip_prefix(&root).expect("below src").to_string_lossy().replace('\\', "/");
        if OF_X86.contains(&name.as_str()) {
            continue;
        }
        let text = std::fs::read_to_string(path).expect("a source");
        let code: Vec<(usize, &str)> = lines(&text).collect();
        for (index, &(number, line)) in code.iter().enumerate() {
            // Where a module or a function of a processor begins, its condition stands above it, with attributes between at most.
            let begins = line.contains("mod avx") || (line.contains("fn ") && line.contains("avx"));
            if !begins {
                continue;
            }
            found += 1;
            let guarded = code[..index]
                .iter()
                .rev()
                .take_while(|(_, above)| above.starts_with("#["))
                .any(|(_, above)| *above == "#[cfg(target_arch = \"x86_64\")]");
            assert!(guarded, "src/{name}:{}: `{line}` needs #[cfg(target_arch = \"x86_64\")]", number + 1);
        }
    }
    assert!(found >= 4, "the search finds what belongs to a processor");
}

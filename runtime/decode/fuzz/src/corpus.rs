//! Writes the corpus that fuzzing begins with: messages of the generator, each with the number of its message type.

#[path = "../../tests/support/mod.rs"]
mod support;

use support::generate::{Shape, Wishes, any_json, random_plan, write_message};
use support::random::Random;

/// Files of each target.
const FILES: u16 = 24;

fn main() -> std::io::Result<()> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for target in ["tiers", "json"] {
        std::fs::create_dir_all(root.join(target))?;
    }
    for number in 0..FILES {
        let plan = random_plan(&mut Random(u64::from(number)), Wishes::ALL);
        let mut random = Random(u64::from(number) + 1_000);
        let mut shape = Shape::new(&mut random);
        if number % 4 != 0 {
            shape = shape.orderly();
        }
        let mut bytes = number.to_le_bytes().to_vec();
        for _ in 0..2 {
            let mut message = Vec::new();
            write_message(&mut random, &plan.root, &shape, &mut message);
            // A line is a message.
            message.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ');
            message.push(b'\n');
            if bytes.len() + message.len() < 2_000 {
                bytes.extend_from_slice(&message);
            }
        }
        std::fs::write(root.join(format!("tiers/plan_{number:02}")), bytes)?;
        let mut bytes = b"{\"v\":".to_vec();
        any_json(&mut random, 0, &mut bytes);
        bytes.push(b'}');
        std::fs::write(root.join(format!("json/text_{number:02}")), bytes)?;
    }
    Ok(())
}

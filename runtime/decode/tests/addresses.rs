//! What a kernel holds of one message stays where it is while it decodes others.

mod support;

use chalk_decode::Decoder;
use chalk_types::Kind;
use support::{field, plan_of, tiers, ty};

#[test]
fn texts_stay_where_they_are_until_clear() {
    let plan = plan_of(vec![field("v", ty(Kind::String))]);
    let texts = ["short", "a text that is longer than a view can hold"];
    for tier in tiers() {
        let mut decoder = Decoder::new(&plan, tier).expect("a plan that works");
        decoder.clear();
        // The address and size of each text, as a kernel would have them in registers.
        let mut held = Vec::new();
        for row in 0..5000 {
            let text = format!("{} {row}", texts[row % 2]);
            let message = format!("{{\"v\":\"{text}\"}}");
            assert_eq!(decoder.decode_one(message.as_bytes()), Ok(row));
            let found = decoder.columns().column(0).text(row, &[]);
            held.push((found.as_ptr(), found.len(), text));
        }
        for (address, size_bytes, text) in held {
            // SAFETY: what is tested: the text is still there.
            let found = unsafe { std::slice::from_raw_parts(address, size_bytes) };
            assert_eq!(String::from_utf8_lossy(found), text, "{tier}");
        }
    }
}

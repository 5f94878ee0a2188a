//! What a decoder tells about its work: who decoded how many messages, how often it learned, how many bytes there were.

mod support;

use chalk_artifact::abi::status;
use chalk_decode::{Decoder, MessageBatch, Tier, TierCounts};
use chalk_types::Kind;
use support::*;

/// The counts after these messages.
fn counts(decoder: &mut Decoder, messages: impl Iterator<Item = String>) -> TierCounts {
    let mut batch = MessageBatch::new();
    messages.for_each(|message| batch.push(message.as_bytes()).expect("room"));
    decoder.decode(&batch, &mut vec![status::LIVE; batch.len()], &mut Vec::new());
    decoder.counts()
}

#[test]
fn every_message_is_counted_once_and_every_byte() {
    let plan = plan_of(vec![field("a", ty(Kind::INT)), field("b", optional(Kind::String))]);
    for tier in tiers() {
        let mut decoder = Decoder::new(&plan, tier).expect("a plan");
        let same = |index: usize| format!("{{\"a\":{index},\"b\":\"x\"}}");
        let first = counts(&mut decoder, (10..60).map(same));
        assert_eq!((first.messages(), first.bytes), (50, 50 * 16), "{tier}");
        if tier == Tier::Scalar {
            assert_eq!((first.scalar, first.learned), (50, 0));
            continue;
        }
        // The first message is learned from; the others follow it.
        assert_eq!((first.template, first.walker, first.scalar), (49, 1, 0), "{tier}");
        assert_eq!((first.learned, first.replaced), (1, 0), "{tier}");

        // A key with an escape, and a message that fails.
        let odd = ["{\"\\u0061\":1,\"b\":null}", "{\"a\":"];
        let second = counts(&mut decoder, odd.iter().map(|&text| text.to_owned()));
        assert_eq!((second.scalar, second.messages()), (2, 52), "{tier}");
        assert_eq!(second.bytes, first.bytes + (odd[0].len() + odd[1].len()) as u64);

        // A stream that changes its shape again and again: there are only so many templates, and learning is rationed.
        let shapes = |index: usize| format!("{{\"a\":{index},\"unknown{}\":0,\"b\":\"x\"}}", index / 1_000);
        let third = counts(&mut decoder, (0..20_000).map(shapes));
        assert_eq!(third.messages(), 52 + 20_000, "{tier}");
        assert!(third.learned > 4 && third.replaced > 0 && third.replaced <= third.learned - 4, "{tier}: {third:?}");
        assert!(third.template > third.walker, "{tier}: {third:?}");

        let mut both = third;
        both += first;
        assert_eq!(both.messages(), third.messages() + first.messages());
        assert_eq!(both.bytes, third.bytes + first.bytes);
    }
}

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

/// A value that is null in the first message, and seldom or half the time after it: messages with and without it have a template each.
#[test]
fn values_that_are_now_and_then_null_have_templates_of_their_own() {
    let plan = plan_of(vec![field("a", ty(Kind::INT)), field("b", optional(Kind::String)), field("c", ty(Kind::INT))]);
    for tier in tiers().filter(|tier| *tier != Tier::Scalar) {
        for every in [2, 20] {
            let mut decoder = Decoder::new(&plan, tier).expect("a plan");
            let with_nulls = |index: usize| {
                let text = if index.is_multiple_of(every) { "null" } else { "\"x\"" };
                format!("{{\"a\":{index},\"b\":{text},\"c\":7}}")
            };
            let counts = counts(&mut decoder, (0..20_000).map(with_nulls));
            assert_eq!((counts.messages(), counts.walker, counts.learned), (20_000, 1, 2), "{tier}: {counts:?}");
            assert!(counts.steps < 500, "{tier}: {counts:?}");
        }
    }
}

/// More combinations of nulls than templates: they are followed step by step, and learning stays rare.
#[test]
fn many_values_that_may_be_null_are_followed_step_by_step() {
    let names: Vec<String> = (0..12).map(|index| format!("f{index}")).collect();
    let plan = plan_of(names.iter().map(|name| field(name, optional(Kind::String))).collect());
    for tier in tiers().filter(|tier| *tier != Tier::Scalar) {
        let mut decoder = Decoder::new(&plan, tier).expect("a plan");
        let mut seed = 7u64;
        let message = |_: usize| {
            let members = names.iter().map(|name| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                format!("\"{name}\":{}", if seed >> 63 == 0 { "null" } else { "\"x\"" })
            });
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        };
        let counts = counts(&mut decoder, (0..50_000).map(message));
        assert!(counts.template > 49_990 && counts.steps > 40_000, "{tier}: {counts:?}");
        assert!((2..20).contains(&counts.learned), "{tier}: {counts:?}");
    }
}

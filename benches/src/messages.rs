//! Seeded messages of a few shapes (user, transaction, mixed, wide, order), written as different producers would, and their plans.
//!
//! This file must not know decoders.

use std::sync::Arc;

use chalk_artifact::decode_plan::{
    ColumnPlan, DecodePlan, FieldPlan, MAX_DEPTH, MAX_MESSAGE_BYTES, MessagePlan, Wanted,
};
use chalk_types::{Kind, StructField, StructType, Type};

/// A seeded source of randomness (Sebastiano Vigna, splitmix64).
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below the limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.word() % limit
    }
}

/// Where the randomness of all messages begins: the same messages in every run.
pub const SEED: u64 = 0x5eed;

/// How a producer writes JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// No blanks, always the same order.
    Compact,
    /// A blank behind `:` and `,`, as Python's `json.dumps` writes.
    Python,
    /// Indented by two blanks, a line for each member.
    Pretty,
    /// No blanks; so many messages of a hundred have their keys in another order.
    Shuffled(u32),
    /// No blanks; texts have an escape or two.
    Escaped,
    /// No blanks; every 1,000 messages the keys have another order.
    Changing,
}

/// One shape of messages.
pub struct Shape {
    /// Its name in the tables.
    pub name: &'static str,
    /// What is read.
    pub plan: DecodePlan,
    make: fn(&mut Random, bool) -> Vec<(&'static str, Member)>,
}

/// A value as it is written.
pub enum Member {
    /// A number, a text with its quotes, a word.
    Plain(String),
    /// An object.
    Object(Vec<(&'static str, Member)>),
    /// A list of objects.
    Objects(Vec<Vec<(&'static str, Member)>>),
}

impl Shape {
    /// The same, of a type that is `@relaxed`.
    pub fn relaxed(mut self) -> Shape {
        self.plan.strict = false;
        self
    }

    /// So many messages.
    pub fn messages(&self, count: usize, style: Style) -> Vec<Vec<u8>> {
        let mut messages = Vec::with_capacity(count);
        self.each(count, style, |message| messages.push(message.to_vec()));
        messages
    }

    /// Gives the same messages one by one: a file of them does not have to fit into memory.
    pub fn each(&self, count: usize, style: Style, mut take: impl FnMut(&[u8])) {
        let mut random = Random(SEED);
        let mut out = String::new();
        for index in 0..count {
            let members = (self.make)(&mut random, style == Style::Escaped);
            let mut order = match style {
                Style::Shuffled(percent) if random.below(100) < u64::from(percent) => Some(Random(random.word())),
                Style::Changing => Some(Random(index as u64 / 1000)),
                _ => None,
            };
            out.clear();
            write(&mut order, members, style, 1, &mut out);
            take(out.as_bytes());
        }
    }
}

/// Writes an object; `order` shuffles its keys.
fn write(
    order: &mut Option<Random>,
    mut members: Vec<(&'static str, Member)>,
    style: Style,
    depth: usize,
    out: &mut String,
) {
    if let Some(random) = order {
        for index in (1..members.len()).rev() {
            members.swap(index, random.below(index as u64 + 1) as usize);
        }
    }
    let (colon, comma) = match style {
        Style::Python => (": ", ", "),
        Style::Pretty => (": ", ","),
        _ => (":", ","),
    };
    let line = |out: &mut String, depth: usize| {
        if style == Style::Pretty {
            out.push('\n');
            out.push_str(&"  ".repeat(depth));
        }
    };
    out.push('{');
    for (index, (key, value)) in members.into_iter().enumerate() {
        if index > 0 {
            out.push_str(comma);
        }
        line(out, depth);
        out.push_str(&format!("\"{key}\"{colon}"));
        match value {
            Member::Plain(text) => out.push_str(&text),
            Member::Object(members) => write(order, members, style, depth + 1, out),
            Member::Objects(objects) => {
                out.push('[');
                for (index, members) in objects.into_iter().enumerate() {
                    if index > 0 {
                        out.push_str(comma);
                    }
                    line(out, depth + 1);
                    write(order, members, style, depth + 2, out);
                }
                line(out, depth);
                out.push(']');
            }
        }
    }
    line(out, depth - 1);
    out.push('}');
}

fn plain(value: impl ToString) -> Member {
    Member::Plain(value.to_string())
}

fn text(value: impl std::fmt::Display) -> Member {
    Member::Plain(format!("\"{value}\""))
}

fn float(random: &mut Random, limit: u64) -> Member {
    let sign = if random.below(2) == 0 { "-" } else { "" };
    Member::Plain(format!("{sign}{}.{:06}", random.below(limit), random.below(1_000_000)))
}

const FIRST: [&str; 12] =
    ["John", "Maria", "Wei", "Aisha", "Olga", "Kofi", "Priya", "Lucas", "Emma", "Zoë", "Noah", "Alexandra"];
const LAST: [&str; 12] =
    ["Smith", "García", "Chen", "Khan", "Ivanova", "Mensah", "Patel", "Silva", "Brown", "Johnson", "Williams", "Lee"];

fn user_members(random: &mut Random, escaped: bool) -> Vec<(&'static str, Member)> {
    let (first, last) = (FIRST[random.below(12) as usize], LAST[random.below(12) as usize]);
    let name = if escaped { format!("{first} \\\"{last}\\\" \\u00e9 {last}\\n") } else { format!("{first} {last}") };
    let domain = ["gmail.com", "example.org", "yahoo.co.uk", "mail.example.com"][random.below(4) as usize];
    let email = if random.below(20) == 0 {
        plain("null")
    } else {
        let number = random.below(1000);
        text(format!(
            "{}{}{number}@{domain}",
            first.to_lowercase().replace('ë', "e"),
            if escaped { "\\/" } else { "." }
        ))
    };
    let id_bits = 8 + random.below(28);
    vec![
        ("id", plain(random.below(1 << id_bits))),
        ("name", text(name)),
        ("updated_at", plain(1_700_000_000_000_000 + random.below(10_000_000_000_000))),
        (
            "contact_info",
            Member::Object(vec![
                ("phone_number", text(format!("{:03}-555-{:04}", random.below(1000), random.below(10_000)))),
                ("email_address", email),
            ]),
        ),
    ]
}

fn transaction_members(random: &mut Random, escaped: bool) -> Vec<(&'static str, Member)> {
    let merchant = ["Corner Coffee", "Big Box Store", "Online Books", "Gas & Go"][random.below(4) as usize];
    let merchant = if escaped { merchant.replace(' ', "\\u0020") } else { merchant.to_owned() };
    vec![
        ("transaction_id", text(format!("tx-{:016x}", random.word()))),
        ("user_id", plain(random.below(10_000_000))),
        ("amount", plain(format!("{}.{:02}", random.below(5000), random.below(100)))),
        ("currency", text(["USD", "EUR", "GBP"][random.below(3) as usize])),
        ("merchant", text(merchant)),
        ("mcc", plain(4000 + random.below(5000))),
        (
            "location",
            Member::Object(vec![
                ("lat", float(random, 90)),
                ("lon", float(random, 180)),
                ("country", text(["US", "DE", "GB", "IN"][random.below(4) as usize])),
            ]),
        ),
        ("card_present", plain(random.below(2) == 0)),
        ("channel", text(["web", "pos", "app"][random.below(3) as usize])),
        ("note", plain("null")),
        ("attempt", plain(1 + random.below(3))),
        ("device_id", text(format!("{:012x}", random.below(1 << 48)))),
        ("risk_score", plain(format!("0.{:04}", random.below(10_000)))),
        ("at", plain(1_700_000_000_000_000 + random.below(10_000_000_000_000))),
    ]
}

/// Payments as many producers together write them: three members that nobody declared, and one in twenty of the others is not there.
fn mixed_members(random: &mut Random, escaped: bool) -> Vec<(&'static str, Member)> {
    let mut members = transaction_members(random, escaped);
    members.retain(|_| random.below(20) != 0);
    members.push(("trace_id", text(format!("{:016x}{:016x}", random.word(), random.word()))));
    members.push(("schema_version", plain(1 + random.below(9))));
    members.push((
        "client",
        Member::Object(vec![
            ("name", text(["checkout", "terminal", "subscription"][random.below(3) as usize])),
            ("build", plain(random.below(100_000))),
        ]),
    ));
    members
}

/// Keys of the wide message.
pub const WIDE_KEYS: [&str; 40] = [
    "event_id",
    "session_id",
    "account_number",
    "device_type",
    "browser_name",
    "page_url",
    "referrer",
    "duration_ms",
    "scroll_depth",
    "viewport_width",
    "viewport_height",
    "country_code",
    "region_name",
    "city_name",
    "latitude",
    "longitude",
    "campaign",
    "medium",
    "term",
    "experiment",
    "variant",
    "cart_value",
    "items_in_cart",
    "is_member",
    "loyalty_points",
    "first_seen_at",
    "last_seen_at",
    "locale",
    "timezone",
    "os_version",
    "app_version",
    "network",
    "carrier",
    "battery_level",
    "memory_mb",
    "cpu_cores",
    "error_code",
    "retry_count",
    "sampling_rate",
    "received_at",
];

fn wide_members(random: &mut Random, escaped: bool) -> Vec<(&'static str, Member)> {
    WIDE_KEYS
        .iter()
        .enumerate()
        .map(|(index, key)| {
            let value = match index {
                0 => plain(random.below(1 << 40)),
                1 => text(format!("{:016x}{:016x}", random.word(), random.word())),
                5 | 6 => {
                    let slash = if escaped { "\\/" } else { "/" };
                    text(format!(
                        "https:{slash}{slash}shop.example.com{slash}p{slash}{}?ref={}",
                        random.below(1 << 30),
                        random.below(1 << 20)
                    ))
                }
                14 | 15 => float(random, 90),
                21 | 38 => plain(format!("{}.{:02}", random.below(1000), random.below(100))),
                23 => plain(random.below(2) == 0),
                25 | 26 | 39 => plain(1_700_000_000_000_000 + random.below(10_000_000_000_000)),
                36 => plain("null"),
                2 | 7..=10 | 22 | 24 | 33..=35 | 37 => plain(random.below(100_000)),
                _ => text(
                    [
                        "chrome",
                        "a text of medium length",
                        "Frankfurt am Main, Germany",
                        "en-US",
                        "a somewhat longer text, as campaigns tend to have them",
                    ][random.below(5) as usize],
                ),
            };
            (*key, value)
        })
        .collect()
}

/// An order with 5 to 15 lines.
fn order_members(random: &mut Random, escaped: bool) -> Vec<(&'static str, Member)> {
    let slash = if escaped { "\\/" } else { "-" };
    let lines = (0..5 + random.below(11))
        .map(|_| {
            vec![
                ("sku", text(format!("SKU{slash}{:07}", random.below(10_000_000)))),
                ("quantity", plain(1 + random.below(12))),
                ("price", plain(format!("{}.{:02}", random.below(500), random.below(100)))),
            ]
        })
        .collect();
    vec![
        ("order_id", text(format!("or-{:016x}", random.word()))),
        ("customer_id", plain(random.below(10_000_000))),
        ("status", text(["paid", "open", "shipped"][random.below(3) as usize])),
        ("channel", text(["web", "store", "app"][random.below(3) as usize])),
        ("currency", text(["USD", "EUR", "GBP"][random.below(3) as usize])),
        ("lines", Member::Objects(lines)),
        ("shipping", plain(format!("{}.{:02}", random.below(30), random.below(100)))),
        ("coupon", plain("null")),
        ("is_gift", plain(random.below(2) == 0)),
        ("warehouse", text(format!("FRA-{:02}", random.below(100)))),
        ("placed_at", plain(1_700_000_000_000_000 + random.below(10_000_000_000_000))),
    ]
}

fn ty(kind: Kind) -> Type {
    Type { kind, nullable: false }
}

fn field(name: &str, ty: Type) -> FieldPlan {
    FieldPlan { name: name.into(), key: name.into(), ty, default: None, lenient: false, unix: None, message: None }
}

fn nested(name: &str, message: MessagePlan) -> FieldPlan {
    let fields =
        message.fields.iter().map(|field| StructField { name: field.name.clone(), ty: field.ty.clone() }).collect();
    let kind = Kind::Struct(Arc::new(StructType { name: message.name.clone(), fields }));
    FieldPlan { message: Some(Box::new(message)), ..field(name, ty(kind)) }
}

fn list(name: &str, message: MessagePlan) -> FieldPlan {
    let item = nested(name, message);
    FieldPlan { ty: ty(Kind::List(Box::new(item.ty.clone()))), ..item }
}

fn plan(root: MessagePlan, paths: &[&[u32]]) -> DecodePlan {
    let columns = paths
        .iter()
        .map(|path| {
            let mut here = &root;
            let mut ty = None;
            for &index in *path {
                let field = &here.fields[index as usize];
                ty = Some(field.ty.clone());
                here = field.message.as_deref().unwrap_or(here);
            }
            ColumnPlan { ty: ty.expect("a path has a field"), path: path.to_vec(), wanted: Wanted::Value }
        })
        .collect();
    DecodePlan { root, columns, strict: true, max_depth: MAX_DEPTH, max_message_bytes: MAX_MESSAGE_BYTES }
}

fn message(name: &str, fields: Vec<FieldPlan>) -> MessagePlan {
    MessagePlan { name: name.into(), fields }
}

/// The users of the language's first example: id, name, updated_at and the e-mail address of the contact are read.
pub fn user() -> Shape {
    let contact = message(
        "ContactInfo",
        vec![
            field("phone_number", ty(Kind::String)),
            field("email_address", Type { kind: Kind::String, nullable: true }),
        ],
    );
    let root = message(
        "UserMessage",
        vec![
            field("id", ty(Kind::INT)),
            field("name", ty(Kind::String)),
            field("updated_at", ty(Kind::INT)),
            nested("contact_info", contact),
        ],
    );
    Shape { name: "user", plan: plan(root, &[&[0], &[1], &[2], &[3, 1]]), make: user_members }
}

/// Card payments: 6 of 14 fields, one of them nested.
pub fn transaction() -> Shape {
    let location = message("Location", vec![field("country", ty(Kind::String))]);
    let root = message(
        "Transaction",
        vec![
            field("transaction_id", ty(Kind::String)),
            field("user_id", ty(Kind::INT)),
            field("amount", ty(Kind::Float64)),
            field("merchant", ty(Kind::String)),
            nested("location", location),
            field("at", ty(Kind::INT)),
        ],
    );
    Shape { name: "transaction", plan: plan(root, &[&[0], &[1], &[2], &[3], &[4, 0], &[5]]), make: transaction_members }
}

/// The same, any of which may be absent.
pub fn mixed() -> Shape {
    let optional = |name: &str, kind| field(name, Type { kind, nullable: true });
    let location = message("Location", vec![optional("country", Kind::String)]);
    let location = nested("location", location);
    let root = message(
        "Transaction",
        vec![
            optional("transaction_id", Kind::String),
            optional("user_id", Kind::INT),
            optional("amount", Kind::Float64),
            optional("merchant", Kind::String),
            FieldPlan { ty: Type { nullable: true, ..location.ty.clone() }, ..location },
            optional("at", Kind::INT),
        ],
    );
    Shape { name: "mixed", plan: plan(root, &[&[0], &[1], &[2], &[3], &[4, 0], &[5]]), make: mixed_members }
}

/// Page views: 6 of 40 flat fields.
pub fn wide() -> Shape {
    let root = message(
        "PageView",
        vec![
            field("event_id", ty(Kind::INT)),
            field("session_id", ty(Kind::String)),
            field("page_url", ty(Kind::String)),
            field("cart_value", ty(Kind::Float64)),
            field("is_member", ty(Kind::Bool)),
            field("received_at", ty(Kind::INT)),
        ],
    );
    Shape { name: "wide", plan: plan(root, &[&[0], &[1], &[2], &[3], &[4], &[5]]), make: wide_members }
}

/// Orders, most of whose bytes are in a list: an order's lines with what was bought, how many and for how much, and 3 of its 10 other fields.
pub fn order() -> Shape {
    let line = message(
        "Line",
        vec![field("sku", ty(Kind::String)), field("quantity", ty(Kind::INT)), field("price", ty(Kind::Float64))],
    );
    let root = message(
        "Order",
        vec![
            field("order_id", ty(Kind::String)),
            field("customer_id", ty(Kind::INT)),
            list("lines", line),
            field("placed_at", ty(Kind::INT)),
        ],
    );
    Shape { name: "order", plan: plan(root, &[&[0], &[1], &[2], &[3]]), make: order_members }
}

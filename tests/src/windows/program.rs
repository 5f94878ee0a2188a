//! Random packages with windows: as data that a model can read, and as the text that the compiler reads.
//!
//! The model must not depend on what the compiler makes of a package, so it is given the description here and never a checked program.
//!
//! This file must not know messages or values, or which aggregates there are.

use super::calls::{Aggregate, Argument, Call, Condition};
use crate::rng::Rng;

/// Microseconds of a second.
pub(super) const SECOND_US: i64 = 1_000_000;
/// Microseconds of a minute.
pub(super) const MINUTE_US: i64 = 60 * SECOND_US;
/// Microseconds of an hour.
pub(super) const HOUR_US: i64 = 60 * MINUTE_US;
/// Microseconds of a day.
pub(super) const DAY_US: i64 = 24 * HOUR_US;

/// A package of one class `User` with aggregates, of what comes in and how.
#[derive(Clone, Debug)]
pub(super) struct Package {
    /// Whether keys are text; otherwise integers.
    pub(super) key_is_text: bool,
    /// Stream resolvers, each with a source of its own.
    pub(super) streams: Vec<Stream>,
    /// Features of `User`, after its primary key.
    pub(super) features: Vec<Feature>,
    /// What a `Pair` reads of its user.
    pub(super) links: Vec<Link>,
}

/// A feature `gN` of `Pair` that is a feature of its user.
#[derive(Clone, Debug)]
pub(super) struct Link {
    /// Its position in `features`.
    pub(super) feature: usize,
    /// Which of its windows; 0 for a plain feature.
    pub(super) window: usize,
    /// What answers to it are called.
    pub(super) name: String,
}

/// A stream resolver over `Event` messages.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    /// What it makes of a message.
    pub(super) role: Role,
    /// `late_arrival_deadline` of its source.
    pub(super) deadline_us: Option<i64>,
    /// `where`
    pub(super) filter: Option<Condition>,
    /// `dedup id within …`
    pub(super) dedup_within_us: Option<i64>,
}

/// What a stream resolver makes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A row of the collection `User.rows`.
    Rows {
        /// Whether it updates materialized aggregates.
        is_materialized: bool,
        /// Whether a feature of the row fails where `n` is greater than 2.
        can_fail: bool,
    },
    /// A message of a continuous windowed resolver.
    Continuous,
    /// A message of a tumbling windowed resolver.
    Tumbling {
        /// How long a window takes messages after its end.
        allowed_lateness_us: i64,
        /// Whether its body is a query.
        is_sql: bool,
    },
}

/// A feature.
#[derive(Clone, Debug)]
pub(super) struct Feature {
    /// Its name.
    pub(super) name: String,
    /// Its windows, ascending; none among them = all time. Empty: a plain feature over all time.
    pub(super) windows: Vec<Option<i64>>,
    /// What it is computed from.
    pub(super) origin: Origin,
}

/// What a feature is computed from.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// The collection of rows.
    Rows {
        /// The aggregate.
        call: Call,
        /// `@materialize`
        buckets: Option<Buckets>,
    },
    /// A windowed resolver sets it.
    Resolver {
        /// Its position in `streams`.
        stream: usize,
        /// The aggregate.
        call: Call,
    },
    /// The quotient of two features of the same windows: `a / nullif(b, 0)`.
    Ratio {
        /// Position of the dividend in `features`.
        dividend: usize,
        /// Position of the divisor, a count.
        divisor: usize,
    },
    /// `a[w] > 2`, of a count: a plain feature over one window of another.
    Exceeds {
        /// Position of the count.
        count: usize,
        /// Which of its windows.
        window: usize,
    },
}

/// `@materialize(bucket: …, start: …)`.
#[derive(Clone, Debug)]
pub(super) struct Buckets {
    /// Per window of the feature the length of a bucket.
    pub(super) lengths_us: Vec<i64>,
    /// `start:`
    pub(super) origin_us: Option<i64>,
}

/// What packages are to be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Results do not depend on the order of arrival; values are exact in binary.
    Exact,
    /// Anything.
    Bits,
}

/// A duration literal: `1h30m`.
pub(super) fn duration(mut us: i64) -> String {
    let mut text = String::new();
    for (unit_us, unit) in [(DAY_US, "d"), (HOUR_US, "h"), (MINUTE_US, "m"), (SECOND_US, "s"), (1000, "ms"), (1, "us")]
    {
        if us >= unit_us {
            text.push_str(&format!("{}{unit}", us / unit_us));
            us %= unit_us;
        }
    }
    text
}

impl Package {
    /// A package.
    pub(super) fn random(rng: &mut Rng, style: Style) -> Package {
        let can_fail = rng.percent(30);
        let mut streams = vec![stream(rng, Role::Rows { is_materialized: true, can_fail })];
        if rng.percent(30) {
            let is_materialized = rng.percent(60);
            streams.push(stream(rng, Role::Rows { is_materialized, can_fail: false }));
        }
        if rng.percent(40) {
            streams.push(stream(rng, Role::Continuous));
        }
        for percent in [50, 15] {
            if rng.percent(percent) {
                let allowed_lateness_us = *rng.pick(&[0, 0, 1, SECOND_US, 5 * MINUTE_US, 2 * HOUR_US]);
                // The models compute queries of exact values only.
                let is_sql = style == Style::Exact && rng.percent(15);
                streams.push(stream(rng, Role::Tumbling { allowed_lateness_us, is_sql }));
            }
        }
        let mut package = Package { key_is_text: rng.percent(40), streams, features: Vec::new(), links: Vec::new() };
        let count = rng.between(2, 5);
        for _ in 0..count {
            package.add_rows_feature(rng, style);
        }
        for stream in 0..package.streams.len() {
            if !matches!(package.streams[stream].role, Role::Rows { .. }) {
                let windows = windows(rng);
                let is_sql = matches!(package.streams[stream].role, Role::Tumbling { is_sql: true, .. });
                for _ in 0..rng.between(1, 3) {
                    // A resolver's features have the same windows, or some of them; those of a query have the same.
                    let from = if is_sql { 0 } else { rng.below(windows.len()) };
                    let windows: Vec<Option<i64>> = windows[from..].iter().copied().map(Some).collect();
                    let call = if is_sql { Call::random_sql(rng) } else { Call::random(rng, style, true) };
                    package.add(windows, Origin::Resolver { stream, call });
                }
            }
        }
        package.add_derived(rng);
        if rng.percent(30) {
            package.add_links(rng);
        }
        package
    }

    fn add(&mut self, windows: Vec<Option<i64>>, origin: Origin) {
        let name = format!("f{}", self.features.len());
        self.features.push(Feature { name, windows, origin });
    }

    fn add_rows_feature(&mut self, rng: &mut Rng, style: Style) {
        match rng.below(10) {
            0 => {
                let call = Call::random(rng, style, false);
                self.add(Vec::new(), Origin::Rows { call, buckets: None });
            }
            1..=4 => {
                let call = Call::random(rng, style, true);
                let bucket_us = *rng.pick(&[SECOND_US, 10 * SECOND_US, MINUTE_US, 15 * MINUTE_US, HOUR_US, DAY_US]);
                let mut windows: Vec<i64> =
                    (0..rng.between(1, 3)).map(|_| bucket_us * *rng.pick(&[1, 2, 3, 7, 24, 30, 60])).collect();
                windows.sort_unstable();
                windows.dedup();
                let mut lengths_us = vec![bucket_us; windows.len()];
                // Finer buckets for the shorter windows: the form with a map.
                if windows.len() > 1 && rng.percent(30) && bucket_us > SECOND_US {
                    lengths_us[0] = bucket_us / 5;
                }
                let origin_us = rng.percent(25).then(|| START_US + bucket_us / 4);
                let windows = windows.into_iter().map(Some).collect();
                self.add(windows, Origin::Rows { call, buckets: Some(Buckets { lengths_us, origin_us }) });
            }
            _ => {
                let mut windows: Vec<Option<i64>> = windows(rng).into_iter().map(Some).collect();
                let with_all = rng.percent(15);
                let call = Call::random(rng, style, !with_all);
                if with_all {
                    windows.push(None);
                }
                self.add(windows, Origin::Rows { call, buckets: None });
            }
        }
    }

    fn add_links(&mut self, rng: &mut Rng) {
        for _ in 0..rng.between(1, 3) {
            let feature = rng.below(self.features.len());
            let windows = self.features[feature].windows.len();
            let window = rng.below(windows.max(1));
            self.links.push(Link { feature, window, name: format!("{} of a pair", self.answer(feature, window)) });
        }
    }

    /// What the answers of a feature over one of its windows are called, and how it is read.
    pub(super) fn answer(&self, feature: usize, window: usize) -> String {
        let feature = &self.features[feature];
        match feature.windows.get(window) {
            None => feature.name.clone(),
            Some(length) => format!("{}[{}]", feature.name, length.map_or("all".to_owned(), duration)),
        }
    }

    /// Features over windowed features.
    fn add_derived(&mut self, rng: &mut Rng) {
        let is_of_rows = |feature: &Feature| matches!(feature.origin, Origin::Rows { .. });
        let counts: Vec<usize> = (0..self.features.len())
            .filter(|&at| {
                let feature = &self.features[at];
                is_of_rows(feature)
                    && matches!(&feature.origin, Origin::Rows { call, .. } if call.aggregate == Aggregate::Count)
                    && feature.windows.iter().all(Option::is_some)
                    && !feature.windows.is_empty()
            })
            .collect();
        for count in counts {
            let windows = self.features[count].windows.clone();
            if rng.percent(50) {
                let call = Call { filter: None, aggregate: Aggregate::Sum, argument: Argument::X };
                self.add(windows.clone(), Origin::Rows { call, buckets: None });
                let dividend = self.features.len() - 1;
                self.add(windows.clone(), Origin::Ratio { dividend, divisor: count });
            }
            if rng.percent(50) {
                self.add(Vec::new(), Origin::Exceeds { count, window: rng.below(windows.len()) });
            }
        }
    }

    /// Its text.
    pub(super) fn text(&self) -> String {
        let key = if self.key_is_text { "string" } else { "int" };
        let mut text = format!(
            "message Event {{ id: int, k: {key}, x: float, n: int?, s: string?, flag: bool, at: datetime, v: [float; 2]? }}\n\n\
             features Row {{\n  id: int\n  user: User.id\n  x: float\n  n: int?\n  s: string?\n  flag: bool\n  \
             @time at: datetime\n  v: [float; 2]?\n  big: int?\n}}\n\n"
        );
        text.push_str(&format!("features User {{\n  id: {key}\n  rows: [Row]\n"));
        for feature in &self.features {
            text.push_str(&self.feature_text(feature));
        }
        text.push_str("}\n");
        for (position, stream) in self.streams.iter().enumerate() {
            text.push_str(&self.stream_text(position, stream));
        }
        if !self.links.is_empty() {
            text.push_str(&self.pair_text(key));
        }
        text
    }

    /// The class `Pair`, each of one user. Its rows come from a resolver behind those of `streams`.
    fn pair_text(&self, key: &str) -> String {
        let mut text = "\nfeatures Pair {\n  id: int\n  user_id: User.id\n  user: User\n".to_owned();
        for (position, link) in self.links.iter().enumerate() {
            let ty = match &self.features[link.feature].origin {
                Origin::Rows { call, .. } | Origin::Resolver { call, .. } => call.ty(),
                Origin::Ratio { .. } => "float?",
                Origin::Exceeds { .. } => "bool?",
            };
            let read = self.answer(link.feature, link.window);
            text.push_str(&format!("  g{position}: {}? = user.{read}\n", ty.trim_end_matches('?')));
        }
        text.push_str(&format!(
            "}}\n\nmessage PairMessage {{ id: int, k: {key} }}\nsource pairing = kafka(topic: \"pairs\")\n\
             stream pairs(msg: PairMessage) -> Pair\n  from pairing\n{{\n  id = msg.id\n  user_id = msg.k\n}}\n"
        ));
        text
    }

    fn feature_text(&self, feature: &Feature) -> String {
        let windows: Vec<String> =
            feature.windows.iter().map(|window| window.map_or("all".to_owned(), duration)).collect();
        let over = if windows.is_empty() { String::new() } else { format!(" over [{}]", windows.join(", ")) };
        let name = &feature.name;
        match &feature.origin {
            Origin::Rows { call, buckets } => {
                let attribute = match buckets {
                    None => String::new(),
                    Some(buckets) => {
                        let start = buckets
                            .origin_us
                            .map_or(String::new(), |us| format!(", start: \"{}\"", chalk_types::format_datetime(us)));
                        let first = buckets.lengths_us[0];
                        let bucket = if buckets.lengths_us.iter().all(|&us| us == first) {
                            duration(first)
                        } else {
                            let pairs: Vec<String> = windows
                                .iter()
                                .zip(&buckets.lengths_us)
                                .map(|(window, &us)| format!("{window}: {}", duration(us)))
                                .collect();
                            format!("{{ {} }}", pairs.join(", "))
                        };
                        format!("  @materialize(bucket: {bucket}{start})\n")
                    }
                };
                format!("{attribute}  {name}: {}{over} = {}\n", call.ty(), call.text("rows"))
            }
            Origin::Resolver { call, .. } => format!("  {name}: {}{over}\n", call.ty()),
            Origin::Ratio { dividend, divisor } => {
                let (dividend, divisor) = (&self.features[*dividend].name, &self.features[*divisor].name);
                format!("  {name}: float?{over} = {dividend} / nullif({divisor}, 0)\n")
            }
            Origin::Exceeds { count, window } => {
                let count = &self.features[*count];
                let window = count.windows[*window].map_or("all".to_owned(), duration);
                format!("  {name}: bool = {}[{window}] > 2\n", count.name)
            }
        }
    }

    fn stream_text(&self, position: usize, stream: &Stream) -> String {
        let deadline =
            stream.deadline_us.map_or(String::new(), |us| format!(", late_arrival_deadline: {}", duration(us)));
        let mut text = format!("\nsource s{position} = kafka(topic: \"s{position}\"{deadline})\n");
        let (scope, parameter, class) = match stream.role {
            Role::Rows { is_materialized, .. } => {
                if !is_materialized {
                    text.push_str("@updates_materialized_aggregations(false)\n");
                }
                ("msg.", "msg: Event", "Row")
            }
            Role::Tumbling { is_sql: true, .. } => ("events.", "events: [Event]", "[User]"),
            Role::Continuous | Role::Tumbling { .. } => ("events.", "events: [Event]", "User"),
        };
        text.push_str(&format!("stream r{position}({parameter}) -> {class}\n  from s{position}\n"));
        if let Some(filter) = &stream.filter {
            text.push_str(&format!("  where {}\n", filter.text(scope)));
        }
        let is_windowed = !matches!(stream.role, Role::Rows { .. });
        if is_windowed {
            text.push_str("  timestamp events.at\n");
        }
        if let Some(within_us) = stream.dedup_within_us {
            text.push_str(&format!("  dedup {scope}id within {}\n", duration(within_us)));
        }
        match stream.role {
            Role::Rows { can_fail, .. } => {
                text.push_str("{\n  id = msg.id\n  user = msg.k\n  x = msg.x\n  n = msg.n\n  s = msg.s\n");
                text.push_str("  flag = msg.flag\n  at = msg.at\n  v = msg.v\n");
                if can_fail {
                    text.push_str("  big = if msg.n > 2 then msg.n * 4_000_000_000_000_000_000 else msg.n\n");
                }
            }
            Role::Continuous => text.push_str("  window continuous\n  by events.k\n{\n  id = key\n"),
            Role::Tumbling { allowed_lateness_us, is_sql } => {
                let lateness = match allowed_lateness_us {
                    0 => String::new(),
                    us => format!("(allowed_lateness: {})", duration(us)),
                };
                text.push_str(&format!("  window tumbling{lateness}\n"));
                if is_sql {
                    text.push_str(&self.query(position));
                    return text;
                }
                text.push_str("  by events.k\n{\n  id = key\n");
            }
        }
        for feature in &self.features {
            if let Origin::Resolver { stream, call } = &feature.origin
                && *stream == position
            {
                text.push_str(&format!("  {} = {}\n", feature.name, call.text("events")));
            }
        }
        text.push_str("}\n");
        text
    }
}

impl Package {
    /// The body of a resolver that is a query: a row for each key with a message.
    fn query(&self, stream: usize) -> String {
        let mut columns = vec!["k as id".to_owned()];
        for feature in &self.features {
            if let Origin::Resolver { stream: of, call } = &feature.origin
                && *of == stream
            {
                columns.push(format!("{} as {}", call.sql(), feature.name));
            }
        }
        format!("sql \"\"\"\n  select {}\n  from events\n  group by k\n\"\"\"\n", columns.join(", "))
    }
}

/// Where the time of packages and messages begins: a boundary of every bucket.
pub(super) const START_US: i64 = 1_704_067_200_000_000;

fn stream(rng: &mut Rng, role: Role) -> Stream {
    Stream {
        role,
        deadline_us: rng.percent(30).then(|| *rng.pick(&[SECOND_US, MINUTE_US, 30 * MINUTE_US, DAY_US])),
        filter: rng.percent(25).then(|| Condition::random(rng, 1)),
        dedup_within_us: rng.percent(30).then(|| *rng.pick(&[SECOND_US, MINUTE_US, HOUR_US, 3 * DAY_US])),
    }
}

/// Lengths of windows, ascending.
fn windows(rng: &mut Rng) -> Vec<i64> {
    let lengths = [
        SECOND_US,
        10 * SECOND_US,
        MINUTE_US,
        7 * MINUTE_US,
        10 * MINUTE_US,
        30 * MINUTE_US,
        HOUR_US,
        90 * MINUTE_US,
        6 * HOUR_US,
        DAY_US,
        30 * DAY_US,
    ];
    let mut windows: Vec<i64> = (0..rng.between(1, 4)).map(|_| *rng.pick(&lengths)).collect();
    windows.sort_unstable();
    windows.dedup();
    windows
}

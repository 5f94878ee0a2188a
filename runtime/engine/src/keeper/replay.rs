//! Doing again what a log says, after a restart.
//!
//! Events go through the very code that the first run ran, so state comes back with the same bits. Entries that images already hold are
//! passed over by the tables themselves.
//!
//! This file must not know where logs are kept.

use chalk_state::EventBatch;

use super::Keeper;
use super::log::{Entry, entries, keys_of};
use super::resolver::ResolverState;
use super::tables::ColdTable;

impl Keeper {
    /// Does again what a log says; `now_us` is the wall clock. Entries of feeds and resolvers that the program no longer has are passed over. An
    /// error says what is damaged, or what the store behind [`ColdEntries`](super::ColdEntries) says.
    pub fn replay(&self, log: &[u8], now_us: i64) -> Result<(), String> {
        for entry in entries(log) {
            self.replay_entry(&entry?, now_us)?;
        }
        Ok(())
    }

    fn by_number(&self, number: u32) -> Option<&ResolverState> {
        self.resolvers.iter().find(|state| state.number == number)
    }

    fn replay_entry(&self, entry: &Entry<'_>, now_us: i64) -> Result<(), String> {
        match *entry {
            Entry::Events { feed, partition, closed_until_us, events } => {
                let Some(id) = self.table_id(feed, partition) else { return Ok(()) };
                let tables = &self.tables[id.aggregation as usize];
                let decoded = EventBatch::decode(&mut &events[..], tables.layout().plan());
                let Some(events) = decoded else {
                    return Err(format!("the state's log has events of feed {feed} that cannot be read"));
                };
                let tumbling = &self.resolvers[id.resolver as usize].tumbling;
                let run_until_us = tumbling.as_ref().and_then(|tumbling| {
                    tumbling.clock.lock().expect("nobody panicked at this clock").closed_until_us()
                });
                let cold = ColdTable::of(self.options.cold.as_ref(), &id);
                let cold = cold.as_ref().map(|cold| cold as &dyn chalk_state::ColdStore);
                tables.cell(&id).lock().apply(&events, closed_until_us.max(run_until_us), cold)
            }
            Entry::Keys { resolver, partition, keys } => {
                self.load_keys(resolver, partition, keys_of(keys));
                Ok(())
            }
            Entry::Time { resolver, partition, time_us } => {
                if let Some(tumbling) = self.by_number(resolver).and_then(|state| state.tumbling.as_ref()) {
                    let mut clock = tumbling.clock.lock().expect("nobody panicked at this clock");
                    clock.restore(partition, time_us, now_us);
                }
                Ok(())
            }
            Entry::Reached { resolver, time_us } => {
                if let Some(tumbling) = self.by_number(resolver).and_then(|state| state.tumbling.as_ref()) {
                    let mut clock = tumbling.clock.lock().expect("nobody panicked at this clock");
                    clock.restore_reached(time_us, now_us);
                }
                Ok(())
            }
            Entry::Closed { resolver, until_us } => {
                if let Some(tumbling) = self.by_number(resolver).and_then(|state| state.tumbling.as_ref()) {
                    self.forget_until(tumbling, until_us);
                    let mut clock = tumbling.clock.lock().expect("nobody panicked at this clock");
                    clock.close(until_us, until_us.saturating_add(tumbling.allowed_lateness_us));
                }
                Ok(())
            }
        }
    }

    /// Appends what a checkpoint must keep besides images of tables and dedup keys, as entries of a log: how far time is, and which
    /// windows have run.
    pub fn log_times(&self, log: &mut Vec<u8>) {
        let mut payload = Vec::new();
        let mut writer = super::log::LogWriter { log, payload: &mut payload };
        for state in &self.resolvers {
            let Some(tumbling) = &state.tumbling else { continue };
            let mut clock = tumbling.clock.lock().expect("nobody panicked at this clock");
            if let Some(time_us) = clock.watermark_us().filter(|_| self.options.is_one_log) {
                writer.reached(state.number, time_us);
            }
            for (partition, time_us) in clock.partition_times() {
                writer.time(state.number, partition, time_us);
            }
            if let Some(until_us) = clock.closed_until_us() {
                writer.closed(state.number, until_us);
            }
        }
    }
}

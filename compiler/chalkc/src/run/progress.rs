//! How far a run is, for a person at a terminal: a bar where the input's size is known, a counter where it is not.
//!
//! Nothing is drawn where standard error is not a terminal, so logs stay clean.
//!
//! This file must not know what is run.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Drawn at most this often.
const REFRESH_HZ: u8 = 10;

/// Shows progress in bytes, with the number of messages.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Starts; `size_bytes` is the whole, where known. `quiet` draws nothing.
    pub fn start(size_bytes: Option<u64>, quiet: bool) -> Progress {
        if quiet || !std::io::stderr().is_terminal() {
            return Progress { bar: ProgressBar::hidden() };
        }
        let target = ProgressDrawTarget::stderr_with_hz(REFRESH_HZ);
        let template = match size_bytes {
            Some(_) => "{bar:30} {percent:>3} %  {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left  {msg}",
            None => "{spinner} {bytes}  {bytes_per_sec}  {elapsed}  {msg}",
        };
        let style = ProgressStyle::with_template(template).expect("the template is a constant");
        let bar = ProgressBar::with_draw_target(size_bytes, target).with_style(style);
        bar.enable_steady_tick(Duration::from_millis(250));
        Progress { bar }
    }

    /// Tells how far it is.
    pub fn set(&self, consumed_bytes: u64, messages: u64) {
        if !self.bar.is_hidden() {
            self.bar.set_position(consumed_bytes);
            self.bar.set_message(format!("{messages} messages"));
        }
    }

    /// Prints a line to standard error above the bar.
    pub fn println(&self, line: &str) {
        if self.bar.is_hidden() {
            eprintln!("{line}");
        } else {
            self.bar.println(line);
        }
    }

    /// Takes the bar away.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }
}

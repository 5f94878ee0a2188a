//! The one way everything ends: somebody asks for it, or something fails.
//!
//! This file must not know what is being stopped.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// Shared by all threads.
#[derive(Debug)]
pub struct Stop {
    requested: watch::Sender<bool>,
    failure: Mutex<Option<String>>,
}

impl Default for Stop {
    fn default() -> Stop {
        Stop { requested: watch::Sender::new(false), failure: Mutex::default() }
    }
}

impl Stop {
    /// Asks everything to end.
    pub fn request(&self) {
        self.requested.send_replace(true);
    }

    /// Asks everything to end because of an error; the first one is kept.
    pub fn fail(&self, error: &dyn std::fmt::Display) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| error.to_string());
        self.request();
    }

    /// Whether the end was asked for.
    pub fn is_requested(&self) -> bool {
        *self.requested.borrow()
    }

    /// Why, if something failed.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the end is asked for.
    pub async fn requested(&self) {
        let mut receiver = self.requested.subscribe();
        // The sender lives as long as `self`.
        let _ = receiver.wait_for(|requested| *requested).await;
    }
}

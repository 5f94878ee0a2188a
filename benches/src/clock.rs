//! Time that this thread has really run: other tenants of the machine take turns, but not ours.

use std::time::Duration;

/// CPU time of the calling thread.
pub fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place to write to.
    let answer = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(answer, 0, "the thread's clock can be read");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Runs each of the contenders in turn, so many rounds, and gives the median time of each. Turns, because a machine's speed
/// drifts: so all of them see the same weather.
pub fn medians(rounds: usize, contenders: &mut [(String, Box<dyn FnMut() + '_>)]) -> Vec<Duration> {
    let mut times = vec![Vec::new(); contenders.len()];
    for _ in 0..rounds {
        for (index, (_, run)) in contenders.iter_mut().enumerate() {
            let start = thread_time();
            run();
            times[index].push(thread_time() - start);
        }
    }
    times
        .into_iter()
        .map(|mut times| {
            times.sort_unstable();
            times[times.len() / 2]
        })
        .collect()
}

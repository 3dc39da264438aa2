//! Core time of a process, in all and by the names of its threads, as Linux tells it.

use anyhow::Context;
use std::collections::BTreeMap;
use std::path::Path;

/// Core time, seconds unless said otherwise.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CoreTime {
    /// Of the whole process, threads that ended included.
    pub all: f64,
    /// Of the threads that live, by their names; those of the same name together.
    pub threads: BTreeMap<String, f64>,
}

impl CoreTime {
    /// Reads what a process has used until now.
    ///
    /// # Errors
    /// When there is no such process any more.
    pub fn read(process: u32) -> anyhow::Result<CoreTime> {
        let process = Path::new("/proc").join(process.to_string());
        let mut of = CoreTime { all: read(&process)?.1, threads: BTreeMap::new() };
        for thread in std::fs::read_dir(process.join("task"))? {
            // One that ended since the folder was listed is left out.
            if let Ok((name, seconds)) = read(&thread?.path()) {
                *of.threads.entry(name).or_default() += seconds;
            }
        }
        Ok(of)
    }

    /// What was used since, for each of `count`, µs.
    pub fn each_us(&self, before: &CoreTime, count: usize) -> CoreTime {
        let each = |now: f64, before: f64| (now - before) * 1e6 / count as f64;
        let threads = self.threads.iter().map(|(name, seconds)| {
            (name.clone(), each(*seconds, before.threads.get(name).copied().unwrap_or_default()))
        });
        CoreTime { all: each(self.all, before.all), threads: threads.collect() }
    }
}

fn read(folder: &Path) -> anyhow::Result<(String, f64)> {
    let stat = std::fs::read_to_string(folder.join("stat"))?;
    name_and_seconds(&stat).with_context(|| format!("{} tells no core time", folder.display()))
}

/// The name and the seconds of a line of `/proc/PID/stat` (proc(5)).
fn name_and_seconds(stat: &str) -> Option<(String, f64)> {
    // The name, which may hold anything, is in parentheses; user and system time are the 14th and 15th words,
    // in hundredths of a second.
    let (head, words) = stat.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    let mut times = words.split_whitespace().skip(11).map(|word| word.parse::<f64>().ok());
    let (user, system) = (times.next()??, times.next()??);
    Some((name.to_owned(), (user + system) / 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let stat = "42 (a) (b) S 1 42 42 0 -1 4194304 1 0 0 0 150 25 0 0 20 0 1 0 99 0 0";
        assert_eq!(name_and_seconds(stat), Some(("a) (b".to_owned(), 1.75)));
        assert_eq!(name_and_seconds("42 (a) S 1"), None);
        assert_eq!(name_and_seconds("nothing"), None);
    }

    #[test]
    fn of_a_thread_that_is_new_all_counts() {
        let of = |all, threads: &[(&str, f64)]| CoreTime {
            all,
            threads: threads.iter().map(|(name, seconds)| ((*name).to_owned(), *seconds)).collect(),
        };
        let (before, now) = (of(1.0, &[("a", 1.0)]), of(4.0, &[("a", 3.0), ("b", 1.0)]));
        assert_eq!(now.each_us(&before, 1_000_000), of(3.0, &[("a", 2.0), ("b", 1.0)]));
    }
}

//! Where a server's core time goes, by stage: from the call graphs that perf recorded.

/// A stage and its functions: what their names contain or, behind `^`, begin with.
type Stage = (&'static str, &'static [&'static str]);

/// What no other stage takes.
const REST: &str = "runtime and rest";

/// A sample belongs to the stage of its innermost function that has one; where a name fits several stages,
/// the first one counts.
const STAGES: [Stage; 16] = [
    ("sync", &["fsync", "unixSync"]),
    ("log and files", &["unixWrite", "pwrite", "walWrite", "pagerWal", "unixRead", "pread", "alChecksum"]),
    ("SQLite", &["^sqlite3", "rusqlite", "store::sqlite", "pcache1", "^balance", "^pager"]),
    ("compressing", &["^ZSTD", "zstd", "^HUF_", "^FSE_", "^HIST"]),
    ("documents", &["rmp_serde", "store::document"]),
    ("index", &["index::", "engine::indexing", "Followed"]),
    ("sockets", &["writev", "recv", "tcp_", "epoll", "TcpStream", "mio::"]),
    ("answer", &["wire::send_view", "IntoResponse", "into_response"]),
    ("parsing", &["serde_json", "JsonBody"]),
    ("checking", &["wire::read", "wire::country", "wire::channel", "service::accept", "rlibphonenumber"]),
    ("carrier (sandbox)", &["carriers::"]),
    ("domain", &["^<flow::", "^flow::"]),
    ("store in memory, queueing", &["store::"]),
    ("engine", &["engine::"]),
    ("HTTP", &["hyper", "axum", "tower", "http::", "server::listener", "^api::", "matchit"]),
    (REST, &["tokio"]),
];

fn belongs(function: &str, (_, names): &Stage) -> bool {
    names.iter().any(|name| match name.strip_prefix('^') {
        Some(start) => function.starts_with(start),
        None => function.contains(name),
    })
}

/// The stage of a sample, whose functions come innermost first.
fn stage_of<'a>(functions: impl IntoIterator<Item = &'a str>) -> &'static str {
    let stage = |function| STAGES.iter().find(|stage| belongs(function, stage)).map(|(name, _)| *name);
    functions.into_iter().find_map(stage).unwrap_or(REST)
}

/// The share of each stage in a recording, percent, in the order in which a flow goes through most of them;
/// `script` is what `perf script -F comm,ip,sym` printed: a line that names the thread, then a line for each
/// function, then an empty line.
pub fn shares(script: &str) -> Vec<(&'static str, f64)> {
    let mut counts = [0u32; STAGES.len()];
    for sample in script.split("\n\n").filter(|sample| !sample.trim().is_empty()) {
        let functions = sample.trim_start().lines().skip(1).filter_map(|line| {
            let (_, function) = line.trim().split_once(' ')?;
            Some(function)
        });
        let stage = stage_of(functions);
        for ((name, _), count) in STAGES.iter().zip(&mut counts) {
            *count += u32::from(*name == stage);
        }
    }
    let all = f64::from(counts.iter().sum::<u32>().max(1));
    STAGES.iter().zip(counts).map(|((name, _), count)| (*name, f64::from(count) * 100.0 / all)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_belongs_to_its_innermost_known_function() {
        let script = "store-writer 7\n\t 1f malloc\n\t 20 sqlite3VdbeExec\n\t 21 store::writer::run\n\n\
                      tokio-rt-worker 8\n\t 22 flow::machine::apply\n\t 23 store::work::Work::apply\n\n\
                      tokio-rt-worker 8\n\t 24 unheard_of\n\n\
                      tokio-rt-worker 8\n\t 25 ZSTD_compress2\n\t 26 store::document::encode\n\n";
        let shares = shares(script);
        let share = |wanted| shares.iter().find(|(name, _)| *name == wanted).map(|(_, share)| *share);
        for stage in ["SQLite", "domain", REST, "compressing"] {
            assert_eq!(share(stage), Some(25.0), "{stage}");
        }
        assert_eq!(share("documents"), Some(0.0));
    }
}

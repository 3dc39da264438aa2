//! DuckDB and ClickHouse, each inside a Python process, asked by a pipe.

use super::{Database, Value, write_rows};
use crate::generator::Generated;
use serde_json::{Value as Json, json};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use uuid::Uuid;

/// The engine's process.
pub struct Embedded {
    name: &'static str,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Embedded {
    /// Starts an engine and fills it.
    pub fn fill(
        name: &'static str,
        python: &str,
        directory: &Path,
        flows: impl Iterator<Item = Generated>,
    ) -> io::Result<Embedded> {
        let path = directory.join("flows.csv");
        write_rows(&mut BufWriter::new(File::create(&path)?), flows)?;
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/search/embedded.py");
        let mut child = Command::new(python)
            .args([script, &name.to_lowercase()])
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, output) = pipes.ok_or_else(|| io::Error::other("the process has no pipes"))?;
        let mut engine = Embedded { name, child, input, output: BufReader::new(output) };
        if engine.line()? != "ready" {
            return Err(io::Error::other(format!("{name} did not take the flows")));
        }
        std::fs::remove_file(path)?;
        Ok(engine)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    fn rows<T>(&mut self, sql: &str, values: &[Value], read: fn(&Json) -> Option<T>) -> Vec<T> {
        let values: Vec<Json> = values
            .iter()
            .map(|value| match value {
                Value::Integer(integer) => json!(integer),
                Value::Text(text) => json!(text),
            })
            .collect();
        writeln!(self.input, "{}", json!({ "sql": sql, "values": values })).expect("the engine listens");
        let line = self.line().expect("the engine answers");
        let rows: Vec<Json> = serde_json::from_str(&line).expect("the engine answers in JSON");
        rows.iter().map(|row| read(row).expect("the columns are as asked")).collect()
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Database for Embedded {
    fn name(&self) -> &'static str {
        self.name
    }

    fn integers(&mut self, sql: &str, values: &[Value]) -> Vec<(i64, i64)> {
        self.rows(sql, values, |row| Some((row[0].as_i64()?, row[1].as_i64()?)))
    }

    fn ids(&mut self, sql: &str, values: &[Value]) -> Vec<Uuid> {
        self.rows(sql, values, |row| row[0].as_str()?.parse().ok())
    }

    fn hint(&self, _: &str) -> String {
        String::new()
    }

    fn containing(&self, parameter: usize, conditions: &str) -> String {
        format!(
            "flows WHERE {conditions} AND recipient IN
                 (SELECT recipient FROM recipients WHERE recipient LIKE '%' || ?{parameter} || '%')"
        )
    }
}

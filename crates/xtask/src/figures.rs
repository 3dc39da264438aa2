//! Figures of several runs: medians for people, and everything for programs.

use serde_json::{Value, json};
use std::fmt::Write;

/// The median, the least and the most.
pub fn spread(values: &mut [f64]) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2], values[0], values[values.len() - 1])
}

/// Figures by name, in the order in which they were told first.
#[derive(Default)]
pub struct Figures(Vec<Figure>);

struct Figure {
    name: String,
    unit: &'static str,
    /// Behind the point, where people read it.
    digits: usize,
    /// One of each run, at least one.
    runs: Vec<f64>,
}

impl Figure {
    fn spread(&self) -> (f64, f64, f64) {
        spread(&mut self.runs.clone())
    }
}

impl Figures {
    /// Adds a run's value to those of the same name. A name that starts with spaces belongs to the one above.
    pub fn tell(&mut self, name: &str, value: f64, unit: &'static str, digits: usize) {
        match self.0.iter_mut().find(|figure| figure.name == name) {
            Some(figure) => figure.runs.push(value),
            None => self.0.push(Figure { name: name.to_owned(), unit, digits, runs: vec![value] }),
        }
    }

    /// The median of a name's values.
    pub fn median(&self, name: &str) -> Option<f64> {
        Some(self.0.iter().find(|figure| figure.name == name)?.spread().0)
    }

    /// A line for each: its median, its least and its most.
    pub fn table(&self) -> String {
        let width = self.0.iter().map(|figure| figure.name.chars().count()).max().unwrap_or_default() + 2;
        let mut table = String::new();
        for figure in &self.0 {
            let ((median, least, most), digits) = (figure.spread(), figure.digits);
            let (name, unit) = (&figure.name, figure.unit);
            let line =
                format!("{name:<width$}{median:.digits$} ({least:.digits$} to {most:.digits$}) {unit}");
            // A text takes whatever is written to it.
            let _ = writeln!(table, "{}", line.trim_end());
        }
        table
    }

    /// The members of `head`, and `figures`: each with its name, unit, median, least, most and all its runs,
    /// to three digits; a line for each, so that differences between two files are seen.
    pub fn json(&self, head: &[(&str, Value)]) -> String {
        let round = |value: f64| (value * 1000.0).round() / 1000.0;
        let figures: Vec<String> = self
            .0
            .iter()
            .map(|figure| {
                let (median, least, most) = figure.spread();
                let runs: Vec<f64> = figure.runs.iter().copied().map(round).collect();
                json!({"name": figure.name.trim(), "unit": figure.unit, "median": round(median),
                   "least": round(least), "most": round(most), "runs": runs})
                .to_string()
            })
            .collect();
        let head: String = head.iter().map(|(name, value)| format!("{}: {value},\n", json!(name))).collect();
        format!("{{\n{head}\"figures\": [\n{}\n]\n}}\n", figures.join(",\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Figures {
        let mut figures = Figures::default();
        for (accepted, p50) in [(3000.0, 2.0), (1000.0, 1.0), (2000.4, 3.0)] {
            figures.tell("accepted", accepted, "flows/s", 0);
            figures.tell("  p50 of µs", p50, "", 2);
        }
        figures
    }

    #[test]
    fn people_read_medians_and_spread() {
        let table = "accepted     2000 (1000 to 3000) flows/s\n  p50 of µs  2.00 (1.00 to 3.00)\n";
        assert_eq!(some().table(), table);
        assert_eq!(some().median("accepted"), Some(2000.4));
        assert_eq!(some().median("p50"), None);
    }

    #[test]
    fn programs_read_every_run() {
        let read: Value = serde_json::from_str(&some().json(&[("cores", json!(2))])).expect("JSON");
        assert_eq!(read["cores"], 2);
        assert_eq!(
            read["figures"][0],
            json!({"name": "accepted", "unit": "flows/s", "median": 2000.4, "least": 1000.0, "most": 3000.0,
                   "runs": [3000.0, 1000.0, 2000.4]})
        );
        assert_eq!(read["figures"][1]["name"], "p50 of µs");
    }
}

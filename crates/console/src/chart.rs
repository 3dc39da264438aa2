//! Bars, drawn by the server: they need no script, and the table below them says the same.

use maud::{Markup, html};

/// Size of the drawing, in its own units.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 180.0;
/// Room for the names below.
const FOOT: f64 = 20.0;
/// The widest place of a bar: few of them look like many.
const STEP_MAX: f64 = 60.0;
/// Names that fit side by side.
const NAMES: usize = 12;

/// A bar: a number, and how many of it are good.
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) all: i64,
    pub(crate) good: i64,
}

/// Draws bars side by side.
pub(crate) fn bars(bars: &[Bar]) -> Markup {
    let most = bars.iter().map(|bar| bar.all).max().unwrap_or(0).max(1) as f64;
    let step = (WIDTH / bars.len().max(1) as f64).min(STEP_MAX);
    let every = bars.len().div_ceil(NAMES).max(1);
    let height = |count: i64| (count.max(0) as f64 / most * (HEIGHT - FOOT - 14.0)).round();
    html! {
        svg.bars viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img"
            aria-label=(format!("Bars: at most {most} at a time; pale: not succeeded")) {
            text x="2" y="10" { (most) }
            @for (at, bar) in bars.iter().enumerate() {
                @let (x, width) = ((at as f64 * step).round(), (step * 0.8).max(1.0).round());
                @let (all, good) = (height(bar.all), height(bar.good));
                g {
                    title { (bar.name) ": " (bar.all) ", of them succeeded: " (bar.good) }
                    rect.before x=(x) y=(HEIGHT - FOOT - all) width=(width) height=(all) {}
                    rect.bar x=(x) y=(HEIGHT - FOOT - good) width=(width) height=(good) {}
                }
                @if at % every == 0 { text x=(x) y=(HEIGHT - 5.0) { (bar.name) } }
            }
        }
    }
}

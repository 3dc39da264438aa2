//! Finds trackings: exact totals and any page, over any time range, for all filters together, in
//! microseconds.
//!
//! The index is derived state: it follows the store's changes, and can be thrown away and made anew. It knows
//! of a flow what can be searched, and gives back ids; the documents are the store's.
//!
//! ```
//! use flow::{Channel, ChannelSet, Facets, FlowKind, FlowStatus};
//! use index::{Filter, Index, Order, Predicate, Query, TextOperator, place_of};
//! use uuid::Uuid;
//!
//! let index = Index::default();
//! let facets = |status, to: &str| Facets {
//!     kind: FlowKind::Plain,
//!     status,
//!     termination: None,
//!     types: ChannelSet::default().with(Channel::Sms),
//!     recipients: [to.into()].into(),
//! };
//! let (first, second) = (Uuid::from_u128(1), Uuid::from_u128(2));
//! index.put([
//!     ("shop", 1_700_000_000_000, first, facets(FlowStatus::InProgress, "+306900000001")),
//!     ("shop", 1_700_000_000_000, second, facets(FlowStatus::Failed, "+306900000002")),
//! ]);
//! // The same flow again takes the place of what was known of it.
//! index.put([("shop", 1_700_000_000_000, first, facets(FlowStatus::Failed, "+306900000001"))]);
//!
//! let is = |predicate| Filter { predicate, negated: false };
//! let found = index.search(&Query {
//!     application: "shop".into(),
//!     from: Some(place_of(1_700_000_000_000)),
//!     until: None,
//!     filters: vec![
//!         is(Predicate::Status(FlowStatus::Failed)),
//!         is(Predicate::To(TextOperator::EndsWith, "01".into())),
//!     ],
//!     order: Order::NewestFirst,
//!     offset: 0,
//!     limit: 20,
//! });
//! assert_eq!((found.total, found.keys), (1, vec![(1_700_000_000_000, first)]));
//! ```
//!
//! # For those who read the code
//!
//! ```text
//!  put, erase                       search, get
//!      │                                 ▲
//!      ▼                                 │ a copy of the flows: two counted references
//!  Index ── Application ── Flows ────────┤
//!  (index)  (application)  (flows)       │
//!                            │           ├─ query::merge      segments and loose flows as one order
//!            ┌───────────────┴────┐      ├─ query::plan       which lists and ranges of a segment answer
//!            ▼                    ▼      └─ query::execution  how many match, and the rows of a page
//!      Segment, Segment, …      Loose
//!      (segment::reader)       (loose)   the newest flows, and those that came late
//!            │
//!            ├─ Image            octets, in memory or of a mapped file; never changes
//!            │    keys           row → time and id, in the order of creation
//!            │    recipients     row → ordinal of its recipient
//!            │    numbers, texts ordinal → recipient, in their order; suffixes: by their ends
//!            │    postings       ordinal → rows
//!            │    trie           common prefix or suffix → rows
//!            │    count_tables   position → facets, and how often each occurs up to there
//!            └─ Overlay          what changed among the facets since
//! ```
//!
//! **Positions.** The facets of all rows lie beside each other, in the order of rows; behind them once more
//! those of each recipient's rows, and those of each common prefix's and suffix's rows. So whatever a query
//! asks of recipients, its rows are a *range of positions* if one recipient, prefix or suffix answers it, and
//! the matches among them are counted from the tables in a few steps, and the k-th is found in a few more
//! (`segment::counts`). Only where no range answers, rows are listed (`query::plan`), and last of all every
//! recipient is looked at (`query::scan`).
//!
//! **Facets.** Status, termination channel, types and kind are one number, a *combination* (`facet`). A
//! segment lists the combinations that occur in it, and keeps for each position a place in that list, a
//! *slot*: one octet, or two if there are more than 256 (`segment::slots`). A filter on facets is a set of
//! slots, made once for each segment.
//!
//! **Numbers for things** are types of their own (`segment::ids`): a row, an entry (a recipient of a row), an
//! ordinal (a distinct recipient), a position.
//!
//! **Changes.** A flow whose facets change keeps its row: the overlay gets copies of what they touch. If its
//! recipients change, the row is removed and the flow becomes a loose one. [`Index::tidy`], called from a
//! thread of its own, makes segments of loose flows, one segment of several small ones, and a new one for a
//! segment that is worn (`application`).
//!
//! **Searching waits for nobody**, and nobody waits for it: it works on a copy of the application's flows,
//! and the writer copies what it changes while somebody still reads it. So it sees every flow either before
//! or after a change.
//!
//! **Files.** [`Index::save`] writes new segments, small files with what changed in those that have a file,
//! and a manifest that names all files of one moment (`files`). Reading checks every octet. What can't be
//! used is made anew.
//!
//! Figures: `docs/search.md`.

mod application;
mod facet;
mod files;
mod flows;
mod index;
mod limits;
mod loader;
mod loose;
mod number;
mod partition;
mod query;
mod record;
mod segment;

pub use files::error::FilesError;
pub use files::manifest::POSITION_OCTETS_MAX;
pub use files::read::stats;
pub use files::report::{ApplicationStats, FilesReport, Stats};
pub use index::{Index, Indexed};
pub use limits::Limits;
pub use loader::Loader;
pub use query::language::{Filter, Found, Key, Order, Predicate, Query, TextOperator, place_of};

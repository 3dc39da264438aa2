//! What every store promises, whatever its database: each promise of the traits once, over a way to open a
//! store. A database that is added gets a file like `sqlite.rs`, and a line at the end of this one.
#![allow(clippy::unwrap_used)] // A test that fails here has failed.

mod accounts;
mod audit;
mod feed;
mod flows;
mod halts;
mod handsets;
mod operators;
mod receipts;
mod sqlite;
mod statistics;
mod support;
mod tasks;
mod upkeep;

/// Makes tests of the whole suite; `$backend` is a new database.
macro_rules! suite {
    ($name:ident, $backend:expr) => {
        suite! { $name, $backend,
            accounts: applications_are_made_and_revoked_from_beside,
                living_tokens_are_limited_and_those_that_end_first_go,
                a_balance_is_never_promised_twice, opt_outs_are_kept_listed_and_forgotten;
            audit: entries_stay_and_get_an_outcome_once;
            feed: the_change_feed_yields_every_flow_at_its_last_change;
            flows: receipts_may_come_before_their_message_is_recorded,
                an_idempotency_key_stores_one_flow, flows_are_read_as_far_as_octets_allow,
                dead_callbacks_are_listed_and_replayed_from_beside,
                what_is_erased_is_gone_and_its_key_spent;
            halts: carriers_are_halted_and_resumed_from_beside;
            handsets: what_handsets_send_is_joined_listed_and_pruned,
                a_segment_that_makes_no_sense_is_a_message;
            operators: operators_are_made_changed_listed_and_removed,
                a_link_works_once_and_the_newest_of_an_operator_alone,
                sessions_are_bounded_and_end_with_their_operator;
            receipts: an_id_that_is_used_again_means_the_message_to_the_recipient,
                an_id_that_one_message_has_is_enough,
                an_id_of_before_is_found_where_the_newer_message_was_erased,
                flows_are_found_by_what_any_carrier_calls_them,
                one_id_for_all_parts_meets_them_all,
                a_receipt_under_an_unknown_id_is_for_the_only_unanswered_message_to_its_recipient,
                several_unanswered_messages_to_a_recipient_are_told_apart_by_nothing,
                the_parts_of_an_unanswered_message_take_its_receipts_in_their_order,
                a_receipt_waits_while_its_message_may_still_be_answered,
                an_early_receipt_is_looked_at_again_where_no_answer_comes,
                a_carrier_that_takes_whole_messages_reports_on_the_whole_message,
                the_oldest_receipts_that_mean_nothing_are_forgotten;
            statistics: statistics_are_a_plain_sum_at_every_moment, statistics_outlive_their_flows,
                a_key_that_is_used_again_counts_once, an_answer_has_so_many_rows_at_most,
                statistics_are_made_anew_from_what_is_stored;
            tasks: what_is_owed_survives_a_restart, what_is_not_admitted_is_not_taken,
                a_flow_is_read_once_however_many_of_its_parts_are_due;
            upkeep: pruning_takes_old_closed_flows_only, flows_dated_ahead_stand_before_no_older_ones,
                keys_are_forgotten_in_small_steps, the_last_time_seen_survives_a_restart,
                a_probe_is_a_commit_and_leaves_no_change;
        }
    };
    ($name:ident, $backend:expr, $($group:ident: $($test:ident),+;)+) => {
        mod $name {
            $(mod $group {
                $(#[tokio::test]
                async fn $test() {
                    crate::$group::$test(&$backend).await;
                })+
            })+
        }
    };
}

suite!(on_sqlite, crate::sqlite::Sqlite::new());

//! The suite that every backend of the store contract must pass.
//!
//! A backend writes a [`Harness`] and stamps all cases onto itself with
//! [`conformance_suite!`](crate::conformance_suite); a backend whose writes can be made to fail
//! runs the [`fault_table`] too. Every case ends with the [`oracle`], which compares everything a
//! store can be asked with what the [`ChainBuilder`] remembers of the batches it built.

#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the suite is test code: a panic is how it reports a store that breaks the contract"
)]

pub mod appending;
pub mod builder;
pub mod checkpoints;
mod collector;
pub mod comparing;
pub mod counted_fault;
pub mod dropping;
pub mod fault_table;
pub mod faulty_store;
pub mod following;
pub mod gate;
pub mod inspecting;
pub mod memory_harness;
pub mod oracle;
pub mod property;
pub mod random;
pub mod restarting;
pub mod shapes;
pub mod tree;

use std::sync::Arc;

use crate::retention::RetentionStore;

pub use builder::{BatchBuilder, ChainBuilder, Draft};
pub use counted_fault::CountedFault;
pub use fault_table::{FaultHarness, PlannedFault, run_fault_table};
pub use faulty_store::{AppendFault, FaultyStore};
pub use memory_harness::MemoryHarness;

/// One place where a store lives, empty at first: a directory, a database, a piece of memory.
///
/// The suite never holds two open stores of one place at once.
pub trait Harness: Send + Sync {
    /// Opens the store in this place.
    fn open(&self) -> Arc<dyn RetentionStore>;

    /// Stops the store cleanly. The caller holds no other handle of it.
    fn stop(&self, store: Arc<dyn RetentionStore>);

    /// Lets go of the store as the death of its process would: without closing it.
    fn crash(&self, store: Arc<dyn RetentionStore>);
}

/// One case of the suite.
#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    pub run: fn(&dyn Harness),
}

/// Every case, for a backend that runs them in its own way.
pub const CASES: &[Case] = crate::conformance_suite!(@all table);

/// Stamps one `#[test]` per case onto a backend: `conformance_suite!(MemoryHarness::new)`.
///
/// The argument is the path of a function without arguments that gives a harness with a fresh,
/// empty place.
#[macro_export]
macro_rules! conformance_suite {
    (@all $then:ident $($harness:path)?) => {
        $crate::conformance_suite! {
            @$then $($harness)?;
            appending::appended_records_are_read_back,
            appending::every_page_size_gives_the_same_records,
            appending::kinds_and_signatures_come_back,
            appending::a_batch_over_many_ledgers_is_written_whole,
            appending::an_empty_batch_changes_nothing,
            appending::a_malformed_batch_is_refused,
            appending::a_ledger_nobody_wrote_to_is_empty,
            appending::readers_never_see_half_a_batch,
            comparing::a_stale_head_is_a_conflict,
            comparing::a_conflict_writes_nothing,
            comparing::a_position_moves_with_its_records,
            comparing::a_zombie_cannot_move_a_position_back,
            comparing::of_many_writers_one_wins_each_time,
            following::changes_give_every_record_once,
            following::a_saved_cursor_goes_on_where_it_stood,
            following::changes_leave_out_what_is_not_wanted,
            following::a_tailing_reader_misses_nothing,
            checkpoints::a_batch_may_hold_only_a_checkpoint,
            checkpoints::newer_checkpoints_replace_older_ones,
            checkpoints::checkpoints_kept_for_good_stay,
            checkpoints::anchored_rounds_are_kept_once,
            tree::every_node_of_a_growing_tree_is_right,
            tree::a_node_beyond_the_ledger_is_refused,
            inspecting::parts_cover_every_record_once,
            inspecting::an_inspector_sees_only_what_it_wants,
            dropping::dropped_contents_are_gone_and_nothing_else,
            dropping::later_drops_take_what_earlier_ones_left,
            dropping::what_waits_goes_later,
            dropping::a_plan_about_nothing_changes_nothing,
            dropping::appending_and_reading_go_on_beside_a_drop,
            restarting::a_clean_stop_keeps_everything,
            restarting::a_crash_keeps_everything,
            restarting::appending_goes_on_after_many_restarts,
            restarting::a_cursor_outlives_the_process,
            restarting::the_key_generation_is_kept,
            shapes::a_content_of_one_mebibyte,
            shapes::ten_thousand_ledgers_of_one_record,
            shapes::a_long_ledger_among_short_ones,
            shapes::odd_names,
            property::random_batches_equal_the_model,
        }
    };
    (@table ; $($module:ident :: $case:ident),* $(,)?) => {
        &[$($crate::conformance::Case {
            name: stringify!($case),
            run: $crate::conformance::$module::$case,
        }),*]
    };
    (@tests $harness:path; $($module:ident :: $case:ident),* $(,)?) => {
        $(
            #[test]
            fn $case() {
                $crate::conformance::$module::$case(&$harness());
            }
        )*
    };
    ($harness:path) => {
        $crate::conformance_suite!(@all tests $harness);
    };
}

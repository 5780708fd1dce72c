//! The `tributary` command. Everything it does is in the library, where tests reach it.

use std::process::ExitCode;

use tributary_guard::Wiping;

/// Nothing of a patient stays behind in memory that is free.
#[global_allocator]
static MEMORY: Wiping = Wiping::system();

fn main() -> ExitCode {
    tributary::commands::run()
}

//! Stubs that panic on purpose.

use std::sync::Once;

/// The words of a stub that panics.
pub(crate) const PANIC: &str = "a stub that panics, as it should";

/// Stubs panic on purpose, and often: nobody needs to read of it, and telling where it was takes a busy machine seconds.
pub(crate) fn keep_quiet_about_stubs() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let is_ours = panic.payload().downcast_ref::<&str>().is_some_and(|text| *text == PANIC);
            if !is_ours {
                usual(panic);
            }
        }));
    });
}

//! Both allocators under a whole program.

use tributary_guard::{Counting, Wiping};

#[global_allocator]
static MEMORY: Wiping<Counting> = Wiping::over(Counting::system());

// One test: a second one's thread would be counted too.
#[test]
fn what_is_live_is_counted_and_work_is_done() {
    let before = MEMORY.inside().count();
    let mut words: Vec<String> = (0..1000).map(|number| format!("word {number}")).collect();
    words.sort();
    for word in &mut words {
        word.push_str(" and more");
    }
    assert_eq!(words.first().map(String::as_str), Some("word 0 and more"));
    let during = MEMORY.inside().count();
    assert!(during.live_bytes - before.live_bytes > 1000 * 24);
    assert!(during.allocations - before.allocations > 1000);
    drop(words);
    assert_eq!(MEMORY.inside().count().live_bytes, before.live_bytes);
}

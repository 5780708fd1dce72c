//! Proofs that a tree only grew: RFC 6962 §2.1.2.

use crate::chain::Digest;

/// The proof that the tree of `old` leaves is the beginning of the one of `new`; empty if either is nothing to
/// prove. `subtree` gives the root of the whole subtree of 2^height leaves at an index.
pub(crate) fn consistency<E>(
    old: u64,
    new: u64,
    subtree: &mut impl FnMut(u32, u64) -> Result<Digest, E>,
) -> Result<Vec<Digest>, E> {
    let mut path = Vec::new();
    if 0 < old && old < new {
        descend(old, (0, new), true, &mut path, subtree)?;
    }
    Ok(path)
}

/// SUBPROOF of the RFC: `old` leaves of the range are in the old tree; `is_known` while that is the old tree whole.
fn descend<E>(
    old: u64,
    (from, to): (u64, u64),
    is_known: bool,
    path: &mut Vec<Digest>,
    subtree: &mut impl FnMut(u32, u64) -> Result<Digest, E>,
) -> Result<(), E> {
    if old == to - from {
        if !is_known {
            path.push(range(from, to, subtree)?);
        }
        return Ok(());
    }
    let left = split(to - from);
    if old <= left {
        descend(old, (from, from + left), is_known, path, subtree)?;
        path.push(range(from + left, to, subtree)?);
    } else {
        descend(old - left, (from + left, to), false, path, subtree)?;
        path.push(range(from, from + left, subtree)?);
    }
    Ok(())
}

/// The root over a range that begins where a subtree does.
fn range<E>(
    from: u64,
    to: u64,
    subtree: &mut impl FnMut(u32, u64) -> Result<Digest, E>,
) -> Result<Digest, E> {
    let count = to - from;
    if count.is_power_of_two() {
        let height = count.trailing_zeros();
        return subtree(height, from >> height);
    }
    let left = split(count);
    let (one, other) = (range(from, from + left, subtree)?, range(from + left, to, subtree)?);
    Ok(Digest::of_node(&one, &other))
}

/// The largest power of two below a count of two and more.
const fn split(count: u64) -> u64 {
    1 << (u64::BITS - 1 - (count - 1).leading_zeros())
}

/// Whether a proof shows that the tree of `old` leaves is the beginning of the one of `new`: RFC 9162 §2.1.4.2.
pub(crate) fn is_consistent(old: (u64, Digest), new: (u64, Digest), path: &[Digest]) -> bool {
    let ((old_size, old_root), (new_size, new_root)) = (old, new);
    if old_size == new_size {
        return old_root == new_root && path.is_empty();
    }
    if old_size > new_size {
        return false;
    }
    if old_size == 0 {
        return path.is_empty();
    }
    let start = old_size.is_power_of_two().then_some(old_root);
    let mut path = start.into_iter().chain(path.iter().copied());
    let Some(first) = path.next() else { return false };
    let shift = (old_size - 1).trailing_ones();
    let (mut place, mut last) = ((old_size - 1) >> shift, (new_size - 1) >> shift);
    let (mut of_old, mut of_new) = (first, first);
    for hash in path {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            of_old = Digest::of_node(&hash, &of_old);
            of_new = Digest::of_node(&hash, &of_new);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            of_new = Digest::of_node(&of_new, &hash);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && of_old == old_root && of_new == new_root
}

#[cfg(test)]
mod tests {
    use super::super::tests::{by_definition, leaves};
    use super::*;

    fn proof(leaves: &[Digest], old: u64, new: u64) -> Vec<Digest> {
        let mut part = |height, index: u64| {
            let from = usize::try_from(index << height).unwrap();
            Ok::<_, ()>(by_definition(&leaves[from..from + (1_usize << height)]))
        };
        consistency(old, new, &mut part).unwrap()
    }

    fn tree(leaves: &[Digest], size: u64) -> (u64, Digest) {
        (size, by_definition(&leaves[..usize::try_from(size).unwrap()]))
    }

    #[test]
    fn every_growth_is_proven() {
        let leaves = leaves(70);
        for new in 0..=70 {
            for old in 0..=new {
                let path = proof(&leaves, old, new);
                assert!(is_consistent(tree(&leaves, old), tree(&leaves, new), &path), "{old} {new}");
                assert!(path.len() <= 63);
            }
        }
    }

    #[test]
    fn nothing_else_is() {
        let ours = leaves(70);
        let mut theirs = ours.clone();
        theirs[3] = Digest::of(b"another");
        for (old, new) in [(4, 7), (8, 64), (33, 70), (64, 70), (69, 70)] {
            let path = proof(&theirs, old, new);
            assert!(!is_consistent(tree(&ours, old), tree(&theirs, new), &path), "{old} {new}");
            let good = proof(&ours, old, new);
            for place in 0..good.len() {
                let mut bad = good.clone();
                bad[place] = Digest::of(b"another");
                assert!(!is_consistent(tree(&ours, old), tree(&ours, new), &bad));
                bad.remove(place);
                assert!(!is_consistent(tree(&ours, old), tree(&ours, new), &bad));
            }
            let longer: Vec<_> = good.iter().copied().chain([Digest::of(b"")]).collect();
            assert!(!is_consistent(tree(&ours, old), tree(&ours, new), &longer));
            assert!(!is_consistent(tree(&ours, new), tree(&ours, old), &good));
        }
        assert!(!is_consistent(tree(&ours, 5), tree(&theirs, 5), &[]));
    }
}
